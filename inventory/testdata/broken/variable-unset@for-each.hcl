cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

variable "rows" {}

kube_node "n" {
  for_each = var.rows
  address  = each.value
}
