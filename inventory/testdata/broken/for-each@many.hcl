cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n" {
  for_each = flatten([for a in range(200) : [for b in range(100) : "${a}-${b}"]])
  address  = "10.90.0.21"
}
