cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

variable "machines" {
  default = "10.90.0.0/24"
}

kube_node "n1" {
  address = cidrhost(var.machine, 21)
}
