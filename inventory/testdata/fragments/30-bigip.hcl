bigip "f5" {
  peer_address = "10.90.0.5"
  password     = file("secrets/bgp")
}
