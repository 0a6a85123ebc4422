package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// NodeUse is what a node is used for.
type NodeUse struct {
	Exists    bool
	UID       string
	Cordoned  bool // nothing new is put on it
	Unserving bool // no service address is announced from it
	Speaks    bool // its kubelet is heard of, whatever it says
	// Finalizers keep it once it is deleted, by commas.
	Finalizers string
}

// excludedByUs notes that it was drover that took a node out of service: what others
// did is not undone with that.
const excludedByUs = "drover.io/excluded"

// leaving notes that it is a removal that has cordoned a node: of one to which no service
// address leads anyhow nothing else would tell that, when the removal is cut off.
const leaving = "drover.io/leaving"

// Use is what a node is used for. One that is not there is used for nothing.
func (c *Client) Use(ctx context.Context, name string) (NodeUse, error) {
	n, err := c.typed.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return NodeUse{Cordoned: true, Unserving: true}, nil
	case err != nil:
		return NodeUse{}, fmt.Errorf("look at Node %s: %w", name, err)
	}
	return NodeUse{
		Exists: true, UID: string(n.UID), Cordoned: n.Spec.Unschedulable, Speaks: speaks(n), Finalizers: strings.Join(n.Finalizers, ", "),
		Unserving: n.Labels[corev1.LabelNodeExcludeBalancers] != "", // whatever it says, as Kubernetes reads it
	}, nil
}

// Cordon keeps new pods off a node, or lets them on it again.
func (c *Client) Cordon(ctx context.Context, name string, yes bool) error {
	var value any
	if yes {
		value = true
	}
	return c.patchUse(ctx, name, map[string]any{
		"spec":     map[string]any{"unschedulable": value},
		"metadata": map[string]any{"annotations": map[string]any{leaving: nil}},
	})
}

// CordonToLeave keeps new pods off a node that is to be removed, and notes that.
func (c *Client) CordonToLeave(ctx context.Context, name string) error {
	return c.patchUse(ctx, name, map[string]any{
		"spec":     map[string]any{"unschedulable": true},
		"metadata": map[string]any{"annotations": map[string]any{leaving: "true"}},
	})
}

// Exclude takes a node out of the service addresses' paths.
func (c *Client) Exclude(ctx context.Context, name string) error {
	return c.patchUse(ctx, name, map[string]any{"metadata": map[string]any{
		"labels":      map[string]any{corev1.LabelNodeExcludeBalancers: "true"},
		"annotations": map[string]any{excludedByUs: "true"},
	}})
}

// Include takes an exclusion back, if it is drover's.
func (c *Client) Include(ctx context.Context, name string) error {
	n, err := c.typed.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && n.Annotations[excludedByUs] == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at Node %s: %w", name, err)
	}
	return c.patchUse(ctx, name, map[string]any{"metadata": map[string]any{
		"labels":      map[string]any{corev1.LabelNodeExcludeBalancers: nil},
		"annotations": map[string]any{excludedByUs: nil},
	}})
}

// ExcludedByUs reports whether it was drover that excluded a node.
func (c *Client) ExcludedByUs(ctx context.Context, name string) (bool, error) {
	n, err := c.typed.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at Node %s: %w", name, err)
	}
	return n.Annotations[excludedByUs] != "", nil
}

func (c *Client) patchUse(ctx context.Context, name string, change map[string]any) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = c.typed.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	if err != nil {
		return fmt.Errorf("change Node %s: %w", name, err)
	}
	return nil
}
