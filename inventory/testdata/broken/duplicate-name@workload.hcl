cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

capacity {
  workload "web" {
    replicas = 1
    cpu      = "1"
    memory   = "1Gi"
  }
  workload "web" {
    replicas = 1
    cpu      = "1"
    memory   = "1Gi"
  }
}
