cluster "prod1" {
  kubernetes   = "1.37.2"
  masters      = ["kube-master-1"]
  pod_cidr     = cidrsubnet("10.96.0.0/12", 4, 4)
  service_cidr = "10.101.0.0/16"

  api {
    endpoint = "k8s.prod1.example.net:6443"
  }
}

ssh {
  user          = "ops"
  become        = "sudo"
  known_hosts   = "/etc/ssh/ssh_known_hosts"
  port          = 2222
  identity_file = "keys/ops"
}

calico {
  version    = "3.30.1"
  as_number  = 64520
  block_size = 25
}

bigip "f5-a" {
  peer_address = "10.90.0.5"
  as_number    = 64513
  password     = file("full.secret")
  manage       = "ssh"
  accept       = ["192.0.2.0/24", format("198.51.%d.0/24", 100)]
}

bigip "f5-b" {
  peer_address = cidrhost("10.90.0.0/24", 6)
}

capacity {
  profile  = "large"
  tolerate = 2

  workload "web" {
    replicas = 120
    cpu      = "500m"
    memory   = "512Mi"
  }
}

kube_master "kube-master-1" {
  address        = "10.90.0.11"
  failure_domain = "esx-01"
}

kube_node "kube-node-1" {
  address        = "10.90.0.21"
  failure_domain = "esx-02"
  labels = {
    tier               = "web"
    "example.net/rack" = upper("b2")
  }
}
