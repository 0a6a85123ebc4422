package kube

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Hearing is what the API has heard of a node's kubelet.
type Hearing struct {
	Exists bool // there is a Node
	// Silent says that the cluster waits for the kubelet's word in vain: Ready is Unknown.
	// A kubelet that says it is not Ready lives.
	Silent bool
	// Last names its last word: as long as that is the same, nothing was heard. The times
	// in it are of other machines' clocks, and only good for being compared so.
	Last string
}

// Heard is what the API has heard of a node's kubelet until now.
func (c *Client) Heard(ctx context.Context, name string) (Hearing, error) {
	n, err := c.typed.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Hearing{}, nil
	}
	if err != nil {
		return Hearing{}, fmt.Errorf("look at Node %s: %w", name, err)
	}
	h := Hearing{Exists: true, Silent: silent(n), Last: string(n.UID)}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			h.Last += " ready " + c.LastTransitionTime.UTC().String()
		}
	}
	// A kubelet renews its lease before anybody says that it is heard of again.
	lease, err := c.typed.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return h, nil
	case err != nil:
		return Hearing{}, fmt.Errorf("look at the lease of node %s: %w", name, err)
	case lease.Spec.RenewTime != nil:
		h.Last += " lease " + lease.Spec.RenewTime.UTC().String()
	}
	return h, nil
}

// readyIs reports whether a node has a Ready condition for which that is so.
func readyIs(n *corev1.Node, so func(corev1.ConditionStatus) bool) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady && so(c.Status) })
}

// silent reports whether a node's kubelet is not heard of any more.
func silent(n *corev1.Node) bool {
	return readyIs(n, func(s corev1.ConditionStatus) bool { return s == corev1.ConditionUnknown })
}

// speaks reports whether a node's kubelet is heard of, whatever it says.
func speaks(n *corev1.Node) bool {
	return readyIs(n, func(s corev1.ConditionStatus) bool { return s == corev1.ConditionTrue || s == corev1.ConditionFalse })
}
