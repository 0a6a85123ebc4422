cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

bigip "f5" {
  peer_address = "10.90.0.5"
  wait         = "600"
}
