cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_master "m2" {
  address = "10.90.0.12"
}

kube_master "m3" {
  address = "10.90.0.13"
}
