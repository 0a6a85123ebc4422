cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

capacity {
  threshold "mesh-size" {
    warn = "60"
  }
}
