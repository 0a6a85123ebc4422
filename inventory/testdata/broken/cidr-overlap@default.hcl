cluster "c" {
  pod_cidr = "10.101.128.0/17"
}

kube_master "m1" {
  address = "10.90.0.11"
}
