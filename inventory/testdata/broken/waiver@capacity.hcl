cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

capacity {
  waive "mesh-sice" {
    reason  = "r"
    expires = "2027-01-31"
  }
}
