cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n" {
  for_each = { "1" = "10.90.0.21", "2" = "10.90.0.22", "3" = "10.90.0.23" }
  name     = "node"
  address  = each.value
}
