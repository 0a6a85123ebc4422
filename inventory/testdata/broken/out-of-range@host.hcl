cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n1" {
  address = "10.90.0.21"

  kubelet {
    max_pods = 5000
  }
}
