package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// unproven notes of a node that drover has made that nobody has seen it serve yet. It
// comes with the Node and goes with the proof: a run that is cut off, or whose proof
// fails, leaves it to the next. A Node without it, made before there was such a note or
// by somebody else, is none that waits for a proof.
const unproven = "drover.io/unproven"

// toProve notes on a Node that is about to be made what it waits for. Whom the inventory
// itself keeps aside stays so.
func (n Node) toProve(fresh *corev1.Node) {
	if !n.ToProve {
		return
	}
	fresh.Annotations[unproven] = "true"
	if _, own := n.Labels[corev1.LabelNodeExcludeBalancers]; n.Aside && !own {
		fresh.Labels[corev1.LabelNodeExcludeBalancers] = "true"
		fresh.Annotations[excludedByUs] = "true"
	}
}

// Unproven reports whether a node that drover has made still waits for its proof.
func (n Nodes) Unproven(name string) bool {
	return n[name] != nil && n[name].Annotations[unproven] != ""
}

// Aside reports whether drover keeps service addresses from a node.
func (n Nodes) Aside(name string) bool {
	return n[name] != nil && n[name].Annotations[excludedByUs] != ""
}

// One is a node alone, if there is one of that name.
func (c *Client) One(ctx context.Context, name string) (Nodes, error) {
	return c.nodes(ctx, []Node{{Name: name}})
}

// Proven notes that a node has been seen to serve.
func (c *Client) Proven(ctx context.Context, name string) error {
	return c.patchUse(ctx, name, map[string]any{"metadata": map[string]any{"annotations": map[string]any{unproven: nil}}})
}
