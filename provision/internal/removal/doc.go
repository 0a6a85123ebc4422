// Package removal says what it takes to take a machine out of a cluster, or a node out of
// service for a while: as resources, like all else that is changed.
//
// The order is that in which nobody notices. New pods stay away; no service address
// leads there any more, which is seen on the BIG-IPs; the pods go; the BIG-IPs forget
// the node; what drover made on the host goes. Its Node goes only then, and after all that
// is found by it: as long as the cluster knows the node by any name, the same command finds
// it again and goes on. The address blocks, which Calico gives back once the Node is gone,
// are last: whoever goes on with those has nothing left to do on the host. Only a master
// keeps what the fleet's lock needs there until the run ends; where that is, the other
// masters remember.
//
// A master has more to give back. A snapshot of etcd comes before anything. When its pods
// are gone, the lists of API servers forget it; what it serves ends; its etcd hands on the
// lead and is a member no more; and only then is its host reset, as a node's is.
package removal
