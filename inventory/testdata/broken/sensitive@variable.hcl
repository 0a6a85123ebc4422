cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

variable "pw" {
  sensitive = true
  default   = "hunter2"
}

kube_node "n1" {
  address = var.pw
}
