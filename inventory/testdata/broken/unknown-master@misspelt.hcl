cluster "c" {
  masters = ["kube-mastre-1"]
}

kube_master "kube-master-1" {
  address = "10.90.0.11"
}
