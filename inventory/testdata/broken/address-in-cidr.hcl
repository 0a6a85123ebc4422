cluster "c" {
  pod_cidr = "10.90.0.0/16"
}

kube_master "m1" {
  address = "10.90.0.11"
}
