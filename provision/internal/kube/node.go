package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Node is what drover says of a node. Kubelets run with registerNode=false, so
// what a kubelet would say when it registers comes from here as well.
type Node struct {
	Name   string
	Arch   string            // "amd64"
	Labels map[string]string // besides the host name, OS and architecture
	Taints []corev1.Taint
	// ToProve notes on a Node that is made that it waits for a proof, and Aside keeps
	// service addresses from it until it was had. Of one that there is they say nothing.
	ToProve, Aside bool `json:"-"`
}

// What drover set on a node is noted on it, so that what is no longer wanted can
// be told from what others set. Server-side apply cannot do this for taints: their
// list has one owner, and the node controllers write to it.
const (
	managedLabels = "drover.io/managed-labels" // names, by commas
	managedTaints = "drover.io/managed-taints" // key:effect, by commas
)

// attachDetach lets the attach-detach controller serve a node's volumes; kubelets
// that register say so themselves.
const attachDetach = "volumes.kubernetes.io/controller-managed-attach-detach"

// ApplyNode makes a Node object, or brings its labels and taints to what is
// wanted, leaving those that others set.
func (c *Client) ApplyNode(ctx context.Context, want Node) error {
	nodes := c.typed.CoreV1().Nodes()
	const tries = 5 // a node's status and taints are written by others all the time
	for try := 1; ; try++ {
		have, err := nodes.Get(ctx, want.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			fresh := want.over(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: want.Name}})
			fresh.Status.Conditions = unborn()
			want.toProve(fresh)
			_, err = nodes.Create(ctx, fresh, metav1.CreateOptions{FieldManager: FieldManager})
		case err == nil:
			err = c.patchNode(ctx, have, want.over(have))
		}
		switch {
		case err == nil:
			return nil
		case try < tries && (apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)):
			continue
		}
		return fmt.Errorf("apply Node %s: %w", want.Name, err)
	}
}

// unborn is what is true of a node whose kubelet has not spoken yet. Without it the
// node controller sees no reason to keep pods away, and they would come before
// the network: a pod that finds none tries again only 10 to 15 s later. The
// kubelet takes the first back, Calico the second.
func unborn() []corev1.NodeCondition {
	now := metav1.Now()
	return []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionUnknown, LastTransitionTime: now,
		Reason: "NodeStatusNeverUpdated", Message: "Kubelet never posted node status.",
	}, {
		Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionTrue, LastTransitionTime: now,
		Reason: "CalicoNotUp", Message: "Calico has not come up on this node yet.",
	}}
}

// patchNode writes labels, annotations and taints, if nobody wrote the node since
// it was read.
func (c *Client) patchNode(ctx context.Context, have, want *corev1.Node) error {
	if len(compareNodes(have, want)) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"uid": have.UID, "resourceVersion": have.ResourceVersion,
			"labels":      mergeKeys(have.Labels, want.Labels),
			"annotations": mergeKeys(have.Annotations, want.Annotations),
		},
		"spec": map[string]any{"taints": want.Spec.Taints},
	})
	if err != nil {
		return err
	}
	_, err = c.typed.CoreV1().Nodes().Patch(ctx, want.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: FieldManager})
	return err
}

// Nodes are nodes as they were, by name.
type Nodes map[string]*corev1.Node

// Nodes are all nodes there are.
func (c *Client) Nodes(ctx context.Context) (Nodes, error) {
	all, err := c.allNodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	out := make(Nodes, len(all))
	for i := range all {
		out[all[i].Name] = &all[i]
	}
	return out, nil
}

// Observe compares a Node object with what is wanted of it.
func (n Nodes) Observe(want Node) Observation {
	node := n[want.Name]
	if node == nil {
		return Observation{State: Absent}
	}
	o := Observation{State: AsWanted, Differences: compareNodes(node, want.over(node))}
	if node.DeletionTimestamp != nil {
		o.Differences = append(o.Differences, "it is being deleted")
	}
	if len(o.Differences) > 0 {
		o.State = Differs
	}
	return o
}

// Ready is nil when every node named is Ready.
func (n Nodes) Ready(names ...string) error {
	var bad []string
	for _, name := range names {
		if why := nodeTrouble(n[name]); why != "" {
			bad = append(bad, name+" "+why)
		}
	}
	return notReady(bad)
}

// ObserveNodes compares Node objects with what is wanted of them.
func (c *Client) ObserveNodes(ctx context.Context, want []Node) map[string]Observation {
	out := make(map[string]Observation, len(want))
	have, err := c.nodes(ctx, want)
	for _, w := range want {
		if err != nil {
			out[w.Name] = Observation{Err: fmt.Errorf("look at Node %s: %w", w.Name, err)}
			continue
		}
		out[w.Name] = have.Observe(w)
	}
	return out
}

// nodes reads the nodes named: one by one when they are few, else all there are.
func (c *Client) nodes(ctx context.Context, want []Node) (Nodes, error) {
	const few = 5
	if len(want) > few {
		return c.Nodes(ctx)
	}
	out := Nodes{}
	for _, w := range want {
		n, err := c.typed.CoreV1().Nodes().Get(ctx, w.Name, metav1.GetOptions{})
		switch {
		case err == nil:
			out[w.Name] = n
		case !apierrors.IsNotFound(err):
			return nil, err
		}
	}
	return out, nil
}

func (c *Client) allNodes(ctx context.Context) ([]corev1.Node, error) {
	var out []corev1.Node
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.typed.CoreV1().Nodes().List(ctx, options)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if options.Continue = page.Continue; options.Continue == "" {
			return out, nil
		}
	}
}

// over is the node that a node becomes when what is wanted is laid over it.
func (n Node) over(have *corev1.Node) *corev1.Node {
	out := have.DeepCopy()
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[corev1.LabelHostname] = n.Name
	labels[corev1.LabelOSStable] = "linux"
	if n.Arch != "" {
		labels[corev1.LabelArchStable] = n.Arch
	}
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	for _, gone := range split(have.Annotations[managedLabels]) {
		delete(out.Labels, gone)
	}
	maps.Copy(out.Labels, labels)

	out.Spec.Taints = n.taintsOver(have)

	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	out.Annotations[attachDetach] = "true"
	out.Annotations[managedLabels] = strings.Join(slices.Sorted(maps.Keys(labels)), ",")
	ids := make([]string, len(n.Taints))
	for i, t := range n.Taints {
		ids[i] = taintID(t)
	}
	slices.Sort(ids)
	out.Annotations[managedTaints] = strings.Join(ids, ",")
	return out
}

// taintsOver keeps the order of the taints that are there, so that nothing is
// written for an order.
func (n Node) taintsOver(have *corev1.Node) []corev1.Taint {
	ours := split(have.Annotations[managedTaints])
	wanted := map[string]corev1.Taint{}
	for _, t := range n.Taints {
		wanted[taintID(t)] = t
	}
	var out []corev1.Taint
	for _, t := range have.Spec.Taints {
		w, want := wanted[taintID(t)]
		switch {
		case want && w.Value == t.Value:
			out = append(out, t)
		case want:
			out = append(out, w)
		case slices.Contains(ours, taintID(t)):
			continue // ours, and no longer wanted
		default:
			out = append(out, t)
		}
		delete(wanted, taintID(t))
	}
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		out = append(out, wanted[id])
	}
	return out
}

func taintID(t corev1.Taint) string { return t.Key + ":" + string(t.Effect) }

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// compareNodes names what applying would change. The notes of what is ours differ
// too when an equal label was set by somebody else before: then it becomes ours.
func compareNodes(have, want *corev1.Node) []string {
	var d differ
	d.maps("metadata.labels", anyMap(have.Labels), anyMap(want.Labels))
	d.maps("metadata.annotations", anyMap(have.Annotations), anyMap(want.Annotations))
	d.maps("spec.taints", taintMap(have.Spec.Taints), taintMap(want.Spec.Taints))
	return d.found
}

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func taintMap(taints []corev1.Taint) map[string]any {
	out := make(map[string]any, len(taints))
	for _, t := range taints {
		out[taintID(t)] = t.Value
	}
	return out
}

// mergeKeys is the merge patch that turns one map into another: nil removes.
func mergeKeys(have, want map[string]string) map[string]any {
	out := map[string]any{}
	for k := range have {
		if _, keep := want[k]; !keep {
			out[k] = nil
		}
	}
	for k, v := range want {
		if have[k] != v {
			out[k] = v
		} else if _, there := have[k]; !there {
			out[k] = v
		}
	}
	return out
}
