cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

capacity {
  waive "master-count" {
    hosts   = ["m2"]
    reason  = "r"
    expires = "2027-01-31"
  }
}
