cluster "c" {}

kube_master "m1" {
  address = "10.90.0.11"
}

kube_node "n1" {
  address = "10.90.0.21"

  ssh {
    host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampl"
  }
}
