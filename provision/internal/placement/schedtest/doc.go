// Package schedtest runs the real kube-scheduler, over a real API server and etcd but
// without a kubelet anywhere, and asks it where pods go. It is for tests only.
package schedtest
