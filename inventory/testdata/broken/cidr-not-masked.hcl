cluster "c" {
  service_cidr = "10.101.7.0/16"
}

kube_master "m1" {
  address = "10.90.0.11"
}
