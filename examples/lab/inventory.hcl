# The lab: three masters, two nodes and two BIG-IPs on one Linux box. It is an
# ordinary inventory: `drover-lab up` makes these machines, `drover apply`
# makes the cluster on them.

cluster "lab" {
  masters      = ["kube-master-1", "kube-master-2", "kube-master-3"]
  pod_cidr     = "10.100.0.0/16"
  service_cidr = "10.101.0.0/16"
}

# drover-lab writes the machines' host keys and its own key here.
ssh {
  user          = "ops"
  become        = "sudo"
  known_hosts   = "/var/lib/drover-lab/lab/known_hosts"
  identity_file = "/var/lib/drover-lab/lab/id_ed25519"
}

# The machines have no way out; the lab serves what they install from.
artifacts {
  mirror        = "http://10.90.0.252"
  registry      = "10.90.0.252:5000"
  registry_http = true
}

# What follows is due to machines that share one kernel and one disk, in control
# groups of version 1: no inventory of real machines needs it.
kubelet {
  config = {
    failCgroupV1 = false
    cgroupDriver = "cgroupfs"
    evictionHard = {
      "memory.available"  = "50Mi"
      "nodefs.available"  = "1%"
      "nodefs.inodesFree" = "1%"
      "imagefs.available" = "1%"
    }
  }
}

containerd {
  systemd_cgroup         = false
  restrict_oom_score_adj = true
}

kube_proxy {
  config = {
    conntrack = { maxPerCore = 0 } # the limit cannot be written from inside a namespace
  }
}

# One BIG-IP in the cluster's own AS, one outside of it: both ways of peering.
bigip "f5-a" {
  peer_address = "10.90.0.5"
  as_number    = 64512
  manage       = "ssh"

  ssh { # a BIG-IP's routing shell is root's
    user   = "root"
    become = "none"
  }
}

bigip "f5-b" {
  peer_address = "10.90.0.6"
  as_number    = 64513
  manage       = "ssh"

  ssh { # a BIG-IP's routing shell is root's
    user   = "root"
    become = "none"
  }
}

kube_master "kube-master-1" {
  address        = "10.90.0.11"
  failure_domain = "esx-01"
}

kube_master "kube-master-2" {
  address        = "10.90.0.12"
  failure_domain = "esx-02"
}

kube_master "kube-master-3" {
  address        = "10.90.0.13"
  failure_domain = "esx-03"
}

kube_node "kube-node-1" {
  address        = "10.90.0.21"
  failure_domain = "esx-01"
}

kube_node "kube-node-2" {
  address        = "10.90.0.22"
  failure_domain = "esx-02"
}
