// Package placement says what fits: which pods kube-scheduler would find a place
// for on which nodes, without a cluster to ask.
package placement
