package kube

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Only a Node that is made waits for a proof; that the proof was had is said once, and
// nothing that is laid over the Node later says otherwise.
func TestNodeThatIsMadeWaitsForItsProof(t *testing.T) {
	c := admin(t)
	unproven := func(name string) bool {
		t.Helper()
		alone, err := c.One(t.Context(), name)
		one := alone.Unproven(name)
		all, lerr := c.Nodes(t.Context())
		if err != nil || lerr != nil || all.Unproven(name) != one {
			t.Errorf("%s: %v, %v, %v", name, one, err, lerr)
		}
		return one
	}
	n := Node{Name: "to-prove", Labels: map[string]string{"tier": "web"}, ToProve: true}
	applyNode(t, c, n)
	n.Labels["tier"] = "db"
	applyNode(t, c, n)
	wantState(t, observeNode(t, c, n), AsWanted)
	if !unproven(n.Name) {
		t.Error("it waits for no proof")
	}
	if err := c.Proven(t.Context(), n.Name); err != nil {
		t.Fatal(err)
	}
	wantState(t, observeNode(t, c, n), AsWanted)
	n.Labels["tier"] = "web"
	if applyNode(t, c, n); unproven(n.Name) {
		t.Error("it waits for a proof again")
	}
	if err := c.Proven(t.Context(), n.Name); err != nil {
		t.Errorf("saying it twice: %v", err)
	}
	foreign := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "not-to-prove"}}
	if _, err := c.typed.CoreV1().Nodes().Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if applyNode(t, c, Node{Name: foreign.Name, ToProve: true}); unproven(foreign.Name) || unproven("nobody") {
		t.Error("a Node waits for a proof that drover did not make")
	}
}

// A Node that is made aside is led to by no service until somebody lets it; what the
// inventory itself keeps aside is its own.
func TestNodeThatIsMadeAside(t *testing.T) {
	c := admin(t)
	const label = "node.kubernetes.io/exclude-from-external-load-balancers"
	aside := func(name string) string {
		t.Helper()
		use, err := c.Use(t.Context(), name)
		ours, oerr := c.ExcludedByUs(t.Context(), name)
		if err != nil || oerr != nil {
			t.Error(err, oerr)
		}
		return fmt.Sprintf("unserving %v, by drover %v", use.Unserving, ours)
	}
	n := Node{Name: "aside", ToProve: true, Aside: true}
	own := Node{Name: "aside-by-itself", Labels: map[string]string{label: ""}, ToProve: true, Aside: true}
	for _, n := range []Node{n, own} {
		applyNode(t, c, n)
		wantState(t, observeNode(t, c, n), AsWanted)
	}
	if got := aside(n.Name); got != "unserving true, by drover true" {
		t.Error(got)
	}
	for _, n := range []Node{n, own} {
		if err := c.Include(t.Context(), n.Name); err != nil {
			t.Fatal(err)
		}
		applyNode(t, c, n)
		wantState(t, observeNode(t, c, n), AsWanted)
	}
	if got := aside(n.Name); got != "unserving false, by drover false" {
		t.Error(got)
	}
	node, err := c.typed.CoreV1().Nodes().Get(t.Context(), own.Name, metav1.GetOptions{})
	if _, there := node.Labels[label]; err != nil || !there {
		t.Errorf("%v, %v", node.Labels, err)
	}
}
