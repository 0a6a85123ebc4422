package kube

import corev1 "k8s.io/api/core/v1"

// heard reports whether a kubelet has spoken of its node lately, be it of trouble: of one
// that is silent Kubernetes itself says, after a while, that it knows nothing.
func heard(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status != corev1.ConditionUnknown
		}
	}
	return false
}
