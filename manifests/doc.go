// Package manifests renders what drover puts on hosts and into the cluster:
// systemd units, configuration files and Kubernetes objects. It is pure: a
// typed value in, bytes out, the same bytes for the same value.
//
// Each component is a struct; its Files method gives every file of the
// component with its path, mode and what a change of it asks for. Objects for
// the API come as []Object. Nothing rendered here is secret: keys, tokens and
// kubeconfigs that embed them are made elsewhere and named here by path.
//
// Defaults follow kubeadm's, or the CIS benchmark's where that is stricter;
// what differs from both says why.
package manifests
