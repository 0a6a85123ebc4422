package kube

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RolledOut is nil when each Deployment and DaemonSet has all its pods, of its
// latest form, available. Of the nodes that are away no pod is waited for: what
// the API says of those is old, and where their pods go is decided minutes later.
func (c *Client) RolledOut(ctx context.Context, away []string, keys ...Key) error {
	var bad []string
	for _, k := range keys {
		why, err := c.rollout(ctx, k, away)
		switch {
		case apierrors.IsNotFound(err):
			bad = append(bad, k.String()+" is absent")
		case err != nil:
			return fmt.Errorf("look at %s: %w", k, err)
		case why != "":
			bad = append(bad, k.String()+" "+why+c.stuckPod(ctx, k, away))
		}
	}
	return notReady(bad)
}

// stuckPod adds the first pod that keeps a rollout from its end, if it can be told.
func (c *Client) stuckPod(ctx context.Context, k Key, away []string) string {
	pods, _ := c.Troubled(ctx, "", k) // the rollout is what was asked for
	for _, p := range pods {
		if p.Stuck && !slices.Contains(away, p.Node) {
			return fmt.Sprintf(": %s %s", p, p.Why)
		}
	}
	return ""
}

func (c *Client) rollout(ctx context.Context, k Key, away []string) (string, error) {
	switch k.Kind {
	case "Deployment":
		d, err := c.typed.AppsV1().Deployments(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		lost, err := c.lost(ctx, k.Namespace, d.Spec.Selector, away)
		if err != nil {
			return "", err
		}
		return deploymentTrouble(d, lost), nil
	case "DaemonSet":
		d, err := c.typed.AppsV1().DaemonSets(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		lost, err := c.lost(ctx, k.Namespace, d.Spec.Selector, away)
		if err != nil {
			return "", err
		}
		return daemonSetTrouble(d, lost), nil
	}
	return "", fmt.Errorf("%s is no kind that rolls out", k.Kind)
}

// lost are the pods on nodes that are away, as far as the API still counts them.
type lost struct {
	nodes     int32 // that are away and have a Node
	pods      int32
	available int32 // the API has not noticed yet
	// homeless are pods that have no place while those nodes are away, because two of
	// them are to be on two nodes.
	homeless int32
}

func (c *Client) lost(ctx context.Context, namespace string, selector *metav1.LabelSelector, away []string) (lost, error) {
	var l lost
	if len(away) == 0 {
		return l, nil
	}
	names := make([]Node, len(away))
	for i, name := range away {
		names[i].Name = name
	}
	nodes, err := c.nodes(ctx, names)
	if err != nil {
		return l, fmt.Errorf("look at nodes: %w", err)
	}
	for _, name := range away {
		if nodes[name] != nil {
			l.nodes++
		}
	}
	of, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return l, err
	}
	pods, err := c.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: of.String()})
	if err != nil {
		return l, err
	}
	for _, p := range pods.Items {
		if l.nodes > 0 && hasNoPlace(p) {
			l.homeless++
		}
		if !slices.Contains(away, p.Spec.NodeName) || p.DeletionTimestamp != nil {
			continue // one that is being deleted has been replaced, and is not counted
		}
		l.pods++
		if slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			l.available++
		}
	}
	return l, nil
}

func hasNoPlace(p corev1.Pod) bool {
	return p.Spec.NodeName == "" && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}

// deploymentTrouble is what a Deployment lacks. What has no place while nodes are away
// is not waited for, as long as one pod is available.
func deploymentTrouble(d *appsv1.Deployment, l lost) string {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	available := d.Status.AvailableReplicas - l.available
	if available > 0 {
		l.pods += l.homeless
	}
	switch s := d.Status; {
	case s.ObservedGeneration < d.Generation:
		return "has not been looked at by its controller"
	case s.UpdatedReplicas < want:
		return fmt.Sprintf("has %d of %d pods of its latest form", s.UpdatedReplicas, want)
	case s.Replicas > s.UpdatedReplicas:
		return fmt.Sprintf("still has %d old pods", s.Replicas-s.UpdatedReplicas)
	case available < want-l.pods:
		return fmt.Sprintf("has %d of %d pods available", available, want-l.pods)
	}
	return ""
}

// daemonSetTrouble counts by nodes: one that never ran may have no pod.
func daemonSetTrouble(d *appsv1.DaemonSet, l lost) string {
	want := d.Status.DesiredNumberScheduled - l.nodes
	switch s := d.Status; {
	case s.ObservedGeneration < d.Generation:
		return "has not been looked at by its controller"
	case s.UpdatedNumberScheduled < want:
		return fmt.Sprintf("has %d of %d pods of its latest form", s.UpdatedNumberScheduled, want)
	case s.NumberAvailable-l.available < want:
		return fmt.Sprintf("has %d of %d pods available", s.NumberAvailable-l.available, want)
	}
	return ""
}
