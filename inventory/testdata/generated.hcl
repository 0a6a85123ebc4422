# written by drover, sha256:c3d8f8b0d4b78118fda88c020e9281cc5514dcdd2c0ec733fa33cdf85b3288e1
# first line
# second line

kube_master "kube-master-1" {
  address  = "10.90.0.11"
  certname = "kube-master-1.example.net"
}

kube_node "kube-mode-1" {
  address  = "10.90.0.21"
  certname = "kube-mode-1.example.net"
}

kube_node "kube-node" {
  address  = "10.90.0.20"
  certname = "kube-node.example.net"
}

kube_node "kube-node-9" {
  address  = "10.90.0.29"
  certname = "kube-node-9.example.net"
}

kube_node "kube-node-10" {
  address        = "10.90.0.30"
  failure_domain = "esx-02"
  certname       = "kube-node-10.example.net"

  ssh {
    host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
  }
}
