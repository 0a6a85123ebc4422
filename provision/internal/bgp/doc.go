// Package bgp is the far side of the cluster's routes: what a BIG-IP is to be
// configured with, what it says about its sessions and routes, and whether that
// is what the cluster wants. It also reads the nodes' own view, BIRD's.
//
// Configuration is ZebOS, as a BIG-IP's imish takes it, never FRR's dialect.
// The peer-group named after the cluster is the mark of what is drover's: only
// its settings and its members are ever changed, because other networks hang on
// the same BIG-IP.
//
// The package is pure: texts go in, texts and values come out.
package bgp
