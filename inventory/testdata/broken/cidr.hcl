cluster "c" {
  pod_cidr = "10.100.0.0/33"
}

kube_master "m1" {
  address = "10.90.0.11"
}
