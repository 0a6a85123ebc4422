cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n1" {
  address  = "10.90.0.21"
  certname = "n1.example.net"
}

kube_node "n2" {
  address  = "10.90.0.22"
  certname = "n1.example.net"
}
