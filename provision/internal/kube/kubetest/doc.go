// Package kubetest starts a real kube-apiserver over a real etcd on loopback, for
// tests. Nothing else of Kubernetes runs: no controller acts on what is made.
package kubetest
