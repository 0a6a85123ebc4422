cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n" {
  for_each = ["A"]
  address  = "10.90.0.2${length([each.key])}"
}
