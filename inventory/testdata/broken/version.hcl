cluster "c" {
  kubernetes = "1.37"
}

kube_master "m1" {
  address = "10.90.0.11"
}
