# Both units of the pair peer with every node, each from its own non-floating
# address; a failover then changes nothing.

calico {
  as_number = 64512
}

bigip "f5-a" {
  peer_address = "10.20.0.5"
  password     = var.bgp_password
  manage       = "ssh"
  max_peers    = 200

  ssh {
    address = "10.30.0.5" # its management address
    user    = "drover"
    become  = "none"
  }
}

# Another team's unit: drover prints what to configure, and waits for it.
bigip "f5-b" {
  peer_address = "10.20.0.6"
  password     = var.bgp_password
  manage       = "manual"
  max_peers    = 200
}
