cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

calico {
  topology         = "route_reflectors"
  route_reflectors = ["m1", "m2"]
}
