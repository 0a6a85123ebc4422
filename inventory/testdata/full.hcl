cluster "prod1" {
  kubernetes   = "1.37.2"
  masters      = ["kube-master-1"]
  pod_cidr     = cidrsubnet("10.96.0.0/12", 4, 4)
  service_cidr = "10.101.0.0/16"

  api {
    endpoint = "k8s.prod1.example.net:6443"
    port     = 6444
  }
}

ssh {
  user            = "ops"
  become          = "sudo"
  become_password = file("full.secret")
  known_hosts     = "/etc/ssh/ssh_known_hosts"
  config_file     = "ssh_config"
  port            = 2222
  identity_file   = "keys/ops"
  jump            = "ops@bastion.example.net"
}

artifacts {
  mirror        = "http://mirror.example.net/k8s/"
  registry      = "registry.example.net:5000"
  registry_http = true
  lock          = "my.lock.json"
  pull          = "push"
  fan_out       = true
  fan_out_port  = 10271
}

etcd {
  version    = "3.6.15"
  extra_args = { quota-backend-bytes = 8 * 1024 * 1024 * 1024 }
}

containerd {
  version                = "2.2.8"
  systemd_cgroup         = false
  restrict_oom_score_adj = true
}

runc {
  version = "1.3.5"
}

cni {
  version = "1.9.0"
}

pause {
  version = "3.10.2"
}

kubelet {
  max_pods = 100
  config = {
    failCgroupV1                = false
    imageGCHighThresholdPercent = 80
    nodeStatusReportFrequency   = "1m"
    evictionHard = {
      "memory.available" = "50Mi"
      "nodefs.available" = "5%"
    }
  }
  extra_args = { v = 2 }
}

kube_proxy {
  config = {
    conntrack = { maxPerCore = 0 }
    list      = ["a", 1, 1.5, true]
  }
  extra_args = { v = "1" }
}

apiserver {
  extra_args = {
    audit-log-maxage       = 30
    service-account-issuer = ["https://a.example.net", "https://b.example.net"]
  }
}

controller_manager {
  extra_args = { profiling = false }
}

scheduler {
  extra_args = { v = 3 }
}

coredns {
  version  = "1.14.6"
  replicas = 3
}

calico {
  version    = "3.30.1"
  as_number  = 64520
  block_size = 25

  topology         = "route_reflectors"
  route_reflectors = ["kube-master-1"]
}

bigip "f5-a" {
  peer_address = "10.90.0.5"
  as_number    = 64513
  password     = file("full.secret")
  manage       = "ssh"
  accept       = ["192.0.2.0/24", format("198.51.%d.0/24", 100)]
  max_peers    = 200
  max_routes   = 1000

  ssh {
    address = "10.80.0.5"
    user    = "admin"
    become  = "none"
    port    = 22
  }
}

bigip "f5-b" {
  peer_address = cidrhost("10.90.0.0/24", 6)
  manage       = "manual"
  wait         = "1h30m"
}

capacity {
  profile  = "large"
  tolerate = 2

  workload "web" {
    replicas = 120
    cpu      = "500m"
    memory   = "512Mi"
  }

  threshold "mesh-size" {
    warn = 60
    fail = 90.5
  }

  waive "pods-per-host" {
    hosts   = ["kube-node-1"]
    reason  = "it was proven with 250 on this machine"
    expires = "2027-01-31"
  }
}

preflight {
  waive "swap-on" {
    reason = "it is encrypted, and the kubelets are told to bear it"
  }

  waive "port-taken" {
    hosts  = ["kube-node-1"]
    reason = "an exporter that moves away next week"
  }
}

packages {
  install = true
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
  taints   = ["dedicated=gpu:NoSchedule", "spot:NoExecute"]
  certname = "kube-node-1.example.net"

  ssh {
    port     = 22
    host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample rack B2"
  }

  kubelet {
    max_pods = 250
    config = {
      imageGCHighThresholdPercent = 90
      evictionHard                = { "memory.available" = "100Mi" }
    }
    extra_args = { v = 4 }
  }
}

puppetdb {
  url            = "https://puppetdb.example.net:8081/"
  cert           = "admin.pem"
  key            = "/etc/drover/admin.key"
  ca             = "~/ca.pem"
  cluster        = "production"
  master_role    = "k8s::master"
  node_role      = "k8s::node"
  name           = "hostname"
  address        = "facts.networking.interfaces.bond0.ip"
  failure_domain = "facts.esx_host"
  max_age        = "90m"
  host_keys      = true
  ignore         = ["kube-node-9.example.net"]
}

puppet {
  disable = false
  wait    = "10m"
  hold    = "2h"
}
