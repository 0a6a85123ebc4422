cluster "c" {
  api {
    endpoint = "k8s.example.net"
  }
}

kube_master "m1" {
  address = "10.90.0.11"
}
