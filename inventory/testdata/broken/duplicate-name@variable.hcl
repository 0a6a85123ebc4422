cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

variable "a" {
  default = 1
}

variable "a" {
  default = 2
}
