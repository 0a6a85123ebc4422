cluster "c" {
  api {
    endpoint = "k8s.example.net:70000"
  }
}

kube_master "m1" {
  address = "10.90.0.11"
}
