cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

locals {
  machines = "10.90.0.0/24"
}

kube_node "n1" {
  address = cidrhost(local.machine, 21)
}
