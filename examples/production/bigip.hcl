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

# Another team's unit: apply prints what to enter there and waits until the
# hosts have their sessions with it; on the deadline it fails, having done the
# rest. Without wait that is ten minutes.
bigip "f5-b" {
  peer_address = "10.20.0.6"
  password     = var.bgp_password
  manage       = "manual"
  wait         = "1h"
  max_peers    = 200
}
