cluster "c" {
  masters = ["m1", "web"]
}

kube_master "m1" {
  address = "10.90.0.11"
}
