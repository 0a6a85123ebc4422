// Package removal says what it takes to take a kube-node out of a cluster, or out of
// service for a while: as resources, like all else that is changed.
//
// The order is that in which nobody notices. New pods stay away; no service address
// leads there any more, which is seen on the BIG-IPs; the pods go; the BIG-IPs forget
// the node; what drover made on the host goes. Its Node goes only then: as long as the
// cluster knows the node by any name, the same command finds it again and goes on.
// The address blocks, which Calico gives back once the Node is gone, are last.
package removal
