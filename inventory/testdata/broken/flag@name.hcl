cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

scheduler {
  extra_args = { "leader elect" = true }
}
