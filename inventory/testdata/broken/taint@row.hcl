cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n" {
  for_each = range(1, 9)
  address  = "10.90.0.2${each.key}"
  taints   = ["x-${each.key}"]
}
