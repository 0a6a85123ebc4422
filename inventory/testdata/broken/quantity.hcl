cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

capacity {
  workload "web" {
    replicas = 3
    cpu      = "0.0005"
    memory   = "1Gi"
  }
}
