# What people write of the inventory, on the admin host in /etc/drover. Blocks of
# the hosts come from Puppet.

cluster "prod1" {
  # The complete list, which no machine adds itself to: a kube_master that is not
  # in it is refused, and so is a list with a master that Puppet has not told of yet.
  masters = ["kube-master-1"]

  pod_cidr     = "10.100.0.0/16"
  service_cidr = "10.101.0.0/16"
}

ssh {
  user          = "ops"
  become        = "sudo"
  identity_file = "/etc/drover/id_ed25519"
}

bigip "f5-a" {
  peer_address = "10.90.0.5"
  as_number    = 64512
}
