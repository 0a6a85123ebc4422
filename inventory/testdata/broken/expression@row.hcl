cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n" {
  for_each = ["1", "2"]
  address  = cidrhost("10.90.0.0/24", each.value + 300)
}
