# A production cluster: three masters on three hypervisors, twelve nodes, a pair
# of BIG-IPs. The files of this directory are one inventory; Puppet may drop more
# beside them, one per host. Check it with `drover validate examples/production`.

variable "machines" {
  description = "the network that masters and nodes are on"
  type        = string
  default     = "10.20.0.0/24"
}

# Secrets do not stand in an inventory. Give this one with
#   DROVER_VAR_bgp_password=…  or  --var-file secrets.vars, which says
#   bgp_password = file("/etc/drover/bgp.secret")
variable "bgp_password" {
  description = "of the BGP sessions with the BIG-IPs"
  type        = string
  sensitive   = true
  default     = null
}

locals {
  hypervisors = ["esx-01", "esx-02", "esx-03"]
}

cluster "prod1" {
  kubernetes = "1.37.2"

  # The complete list. A fragment that is missing can then never make a smaller,
  # second cluster.
  masters = ["kube-master-1", "kube-master-2", "kube-master-3"]

  # 1024 blocks of 64 addresses, for nodes and pods; and 65536 services. Neither
  # may overlap the machines' network or each other.
  pod_cidr     = "10.100.0.0/16"
  service_cidr = "10.101.0.0/16"

  # A virtual server on the BIG-IPs. Without it every node runs a small load
  # balancer of its own.
  api {
    endpoint = "k8s.prod1.example.net:6443"
  }
}

ssh {
  user        = "ops"
  become      = "sudo"
  known_hosts = "/etc/ssh/ssh_known_hosts" # or @cert-authority in it
  jump        = "ops@bastion.example.net"
}

# A mirror holds MIRROR/HOST/PATH for what upstream has at https://HOST/PATH.
# Hosts that cannot reach it are sent releases from here: pull = "push".
# Either way, hosts hand on to each other what they have: with fan_out the mirror
# (or what leads from here to the hosts) carries each release about once.
artifacts {
  mirror   = "https://mirror.example.net/kubernetes"
  registry = "registry.example.net"
  fan_out  = true # each host listens on TCP 10270 while it has something to hand on
}

# What drover does not model is passed through to the component's own
# configuration file and command line.
kubelet {
  config = {
    imageGCHighThresholdPercent = 75
    shutdownGracePeriod         = "60s"
  }
}

apiserver {
  extra_args = {
    max-requests-inflight = 800
  }
}

etcd {
  extra_args = {
    quota-backend-bytes = 4 * 1024 * 1024 * 1024
  }
}

# What the cluster must be able to hold, also with one hypervisor lost.
capacity {
  profile  = "standard"
  tolerate = 1

  workload "web" {
    replicas = 120
    cpu      = "500m"
    memory   = "512Mi"
  }

  workload "worker" {
    replicas = 24
    cpu      = "2"
    memory   = "4Gi"
  }
}

# What the hosts lack of Debian's packages, apply installs.
packages {
  install = true
}

# What a preflight finds and is borne, with the reason.
preflight {
  waive "mtu-differs" {
    hosts  = ["kube-gpu-a", "kube-gpu-b"]
    reason = "their switch carries jumbo frames; the routers between cut packets and say so"
  }
}
