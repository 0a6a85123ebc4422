# Masters one by one: there are few of them, and each is looked at by name.

kube_master "kube-master-1" {
  address        = "10.20.0.11"
  failure_domain = "esx-01"
}

kube_master "kube-master-2" {
  address        = "10.20.0.12"
  failure_domain = "esx-02"
}

kube_master "kube-master-3" {
  address        = "10.20.0.13"
  failure_domain = "esx-03"
}

# Ten equal nodes, kube-node-01 to kube-node-10, over the hypervisors in turn.
kube_node "kube-node" {
  for_each       = range(1, 11)
  name           = format("kube-node-%02d", each.value)
  address        = cidrhost(var.machines, 20 + each.value)
  failure_domain = local.hypervisors[each.value % length(local.hypervisors)]
  labels         = { tier = "web" }
}

# Two machines with accelerators, for pods that ask for them.
kube_node "kube-gpu" {
  for_each = {
    a = { address = "10.20.0.41", hypervisor = "esx-01" }
    b = { address = "10.20.0.42", hypervisor = "esx-02" }
  }
  address        = each.value.address
  failure_domain = each.value.hypervisor
  labels         = { "example.net/accelerator" = "gpu" }
  taints         = ["dedicated=gpu:NoSchedule"]

  kubelet {
    max_pods = 60
  }
}
