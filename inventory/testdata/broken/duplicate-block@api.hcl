cluster "c" {
  api {
    endpoint = "a.example.net:6443"
  }
  api {
    endpoint = "b.example.net:6443"
  }
}

kube_master "m1" {
  address = "10.90.0.11"
}
