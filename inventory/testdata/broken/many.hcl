cluster "Prod 1" {
  kubernetes   = 1.37
  masters      = ["kube-master-1", "kube-mastre-2", "kube-node-1"]
  pod_cidr     = "10.100.0.5/16"
  service_cidr = "10.101.0.0/33"
  api          = { endpoint = "https://k8s.prod1.example.net" }
}

ssh {
  usr    = "ops"
  become = sudo
}

calico {
  as_number  = 4294967296
  block_size = 19
}

bigip "f5-a" {
  peer_address = "10.90.0.11"
  pasword      = "hunter2"
  manage       = "shh"
}

kube_master "kube-master-1" {
  address = "10.90.0.11"
  labels  = { tier = "w e b" }
}

kube_master "kube-master-2" {
  adress = "10.90.0.12"
}

kube_node "kube-node-1" {
  address = "10.90.0.300"
}

kube_nodes "kube-node-2" {
  address = "10.90.0.22"
}

kube_node "kube-node-1" {
  address = "10.90.0.11"
  bgp {
    user = "root"
  }
}
