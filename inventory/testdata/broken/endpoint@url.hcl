cluster "c" {
  api {
    endpoint = "https://k8s.example.net:6443/"
  }
}

kube_master "m1" {
  address = "10.90.0.11"
}
