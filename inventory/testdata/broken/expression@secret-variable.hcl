cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

variable "pw" {
  sensitive = true
  default   = "hunter2"
}

bigip "f5" {
  peer_address = "10.90.0.5"
  password     = tonumber(var.pw)
}
