// Package cluster reaches what a cluster is besides its hosts: its API and its
// etcd. It goes through the masters' own connections, to any that is healthy,
// never through the address clients use: that one may be what is broken.
package cluster
