cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n" {
  for_each = ["1", "2", "3"]
  address  = "10.90.0.30${each.key}"
}
