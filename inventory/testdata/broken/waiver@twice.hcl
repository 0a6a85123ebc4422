cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

preflight {
  waive "swap-on" {
    reason = "it is small"
  }

  waive "swap-on" {
    hosts  = ["m1"]
    reason = "it is encrypted"
  }
}
