package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func observeNode(t *testing.T, c *Client, n Node) Observation {
	t.Helper()
	return c.ObserveNodes(t.Context(), []Node{n})[n.Name]
}

func applyNode(t *testing.T, c *Client, n Node) *corev1.Node {
	t.Helper()
	if err := c.ApplyNode(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	have, err := c.typed.CoreV1().Nodes().Get(t.Context(), n.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return have
}

func taints(n *corev1.Node) []string {
	var out []string
	for _, t := range n.Spec.Taints {
		out = append(out, taintID(t)+"="+t.Value)
	}
	slices.Sort(out)
	return out
}

func TestNodeIsMadeAsAKubeletWouldRegisterIt(t *testing.T) {
	c := admin(t)
	n := Node{Name: "made", Arch: "amd64", Labels: map[string]string{"tier": "web"},
		Taints: []corev1.Taint{{Key: "dedicated", Value: "web", Effect: corev1.TaintEffectNoSchedule}}}
	wantState(t, observeNode(t, c, n), Absent)
	have := applyNode(t, c, n)
	wantLabels := map[string]string{"tier": "web", "kubernetes.io/hostname": "made", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
	if !maps.Equal(have.Labels, wantLabels) {
		t.Errorf("labels %v", have.Labels)
	}
	if have.Annotations["volumes.kubernetes.io/controller-managed-attach-detach"] != "true" {
		t.Error("the attach-detach controller would leave this node's volumes")
	}
	// The API itself taints a node that is not ready: a foreign taint from the start.
	if got := taints(have); !slices.Equal(got, []string{"dedicated:NoSchedule=web", "node.kubernetes.io/not-ready:NoSchedule="}) {
		t.Errorf("taints %q", got)
	}
	wantState(t, observeNode(t, c, n), AsWanted)
	if again := applyNode(t, c, n); again.ResourceVersion != have.ResourceVersion {
		t.Error("applying again wrote the node")
	}
}

func TestNodeKeepsWhatOthersSet(t *testing.T) {
	c := admin(t)
	n := Node{Name: "shared", Labels: map[string]string{"tier": "web", "rack": "1"},
		Taints: []corev1.Taint{{Key: "ours", Effect: corev1.TaintEffectNoSchedule}, {Key: "going", Effect: corev1.TaintEffectNoSchedule}}}
	applyNode(t, c, n)
	edit := func(change func(*corev1.Node)) {
		t.Helper()
		nodes := c.typed.CoreV1().Nodes()
		n, err := nodes.Get(t.Context(), n.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		change(n)
		if _, err := nodes.Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(n *corev1.Node) {
		n.Labels["theirs"] = "1"
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "theirs", Effect: corev1.TaintEffectNoExecute})
	})
	wantState(t, observeNode(t, c, n), AsWanted)

	edit(func(n *corev1.Node) {
		delete(n.Labels, "tier")
		n.Labels["rack"] = "2"
		n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == "ours" })
	})
	wantState(t, observeNode(t, c, n), Differs,
		"metadata.labels.rack: 2 → 1", "metadata.labels.tier: (none) → web", `spec.taints.ours:NoSchedule: (none) → ""`)

	less := Node{Name: "shared", Labels: map[string]string{"tier": "web"}, Taints: n.Taints[:1]}
	have := applyNode(t, c, less)
	if _, there := have.Labels["rack"]; there || have.Labels["tier"] != "web" || have.Labels["theirs"] != "1" {
		t.Errorf("labels %v", have.Labels)
	}
	if got := taints(have); !slices.Equal(got, []string{"node.kubernetes.io/not-ready:NoSchedule=", "ours:NoSchedule=", "theirs:NoExecute="}) {
		t.Errorf("taints %q", got)
	}
	wantState(t, observeNode(t, c, less), AsWanted)
}

func TestNodeLabelGivenUpIsNotTakenFromOthers(t *testing.T) {
	c := admin(t)
	// What somebody set before us, we never noted as ours.
	foreign := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "foreign", Labels: map[string]string{"theirs": "1"}}}
	if _, err := c.typed.CoreV1().Nodes().Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if have := applyNode(t, c, Node{Name: "foreign"}); have.Labels["theirs"] != "1" {
		t.Errorf("labels %v", have.Labels)
	}
}

func TestApplyNodeAmongOtherWriters(t *testing.T) {
	c := admin(t)
	n := Node{Name: "busy", Labels: map[string]string{"step": "0"}}
	applyNode(t, c, n)
	have, err := c.typed.CoreV1().Nodes().Get(t.Context(), "busy", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	applyNode(t, c, Node{Name: "busy", Labels: map[string]string{"step": "1"}})
	// A patch made from a node that was written since is refused.
	if err := c.patchNode(t.Context(), have, Node{Name: "busy", Labels: map[string]string{"step": "2"}}.over(have)); err == nil {
		t.Error("wrote over a node that had changed")
	}
}

func TestManyNodesAreObserved(t *testing.T) {
	c := admin(t)
	var want []Node
	for _, name := range []string{"m1", "m2", "m3", "m4", "m5", "m6"} {
		want = append(want, Node{Name: name})
	}
	for _, n := range want[1:] {
		applyNode(t, c, n)
	}
	got := c.ObserveNodes(t.Context(), want)
	if got["m1"].State != Absent || got["m2"].State != AsWanted || got["m6"].State != AsWanted || len(got) != 6 {
		t.Errorf("%v", got)
	}
	nobody, err := server.User("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range connect(t, nobody).ObserveNodes(context.Background(), want) {
		if o.State != Unseen || o.Err == nil {
			t.Errorf("%s: a forbidden look is %s", name, o.State)
		}
	}
}

// Where a node is, its kubelet says; what it is, drover.
func TestNodeStatesTellWhoIsWhere(t *testing.T) {
	c := admin(t)
	applyNode(t, c, Node{Name: "told", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}})
	applyNode(t, c, Node{Name: "silent"})
	nodes := c.typed.CoreV1().Nodes()
	n, err := nodes.Get(t.Context(), "told", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n.Status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeHostName, Address: "told"}, {Type: corev1.NodeExternalIP, Address: "192.0.2.1"}, {Type: corev1.NodeInternalIP, Address: "10.90.0.21"},
	}
	if _, err := nodes.UpdateStatus(t.Context(), n, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	states, err := c.NodeStates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range states {
		got[s.Name] = fmt.Sprint(s.Address, " ", s.Master)
	}
	if got["told"] != "10.90.0.21 true" || got["silent"] != "invalid IP false" {
		t.Errorf("got %q", got)
	}
}
