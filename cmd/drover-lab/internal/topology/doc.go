// Package topology says what a lab is made of: the machines, the network
// segments between them and every address, as plain data computed from an
// inventory. It touches nothing; the packages that build read it.
//
// The network of a lab:
//
//	admin (this machine)   mirror        kube-master-1 … kube-node-n
//	      │                  │                 │
//	──────┴──────────────────┴──── fabric ─────┴─────┬──────────┬─── gateway
//	                                             router f5-a  router f5-b
//	                                                 │          │
//	                                          f5-a-client  f5-b-client
//
// A lab that has a Puppet server has it on the fabric, too.
//
// Machines have the gateway as their default route, and it alone knows the way
// back to the clients; it never learns a pod route. So a client reaches a pod
// only when its router has learned the pod's block.
package topology
