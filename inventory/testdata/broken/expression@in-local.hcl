cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

locals {
  first  = cidrhost("10.90.0.0", 21)
  second = local.first
}

kube_node "n1" {
  address = local.second
}
