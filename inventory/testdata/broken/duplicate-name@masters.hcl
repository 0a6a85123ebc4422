cluster "c" {
  masters = ["m1", "m1"]
}

kube_master "m1" {
  address = "10.90.0.11"
}
