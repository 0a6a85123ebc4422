cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

variable "machines" {
  type = string
}

kube_node "n1" {
  address = cidrhost(var.machines, 21)
}
