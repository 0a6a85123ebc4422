// Package etcd is etcd as drover needs it, through any dialer and with mutual TLS:
// who the members are, how each is, whether they have a quorum and would keep it,
// and the changes of membership, each refused when it would cost the quorum.
//
// It reads and writes no keys of Kubernetes.
package etcd
