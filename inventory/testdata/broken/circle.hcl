cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

locals {
  a = local.b
  b = "${local.c}!"
  c = [local.a]
  d = local.a
}
