cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

apiserver {
  extra_args = { "--audit-log-maxage" = 30 }
}
