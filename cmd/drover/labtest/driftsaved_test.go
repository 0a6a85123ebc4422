package labtest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// A saved plan is refused once the world has moved, and touches nothing; made anew
// it is carried out, without a question.
func TestSavedPlan(t *testing.T) {
	c := shared(t)
	c.inSync(t)
	t.Cleanup(func() { c.apply(t) }) // for when it fails half-way
	const forward = "sysctl -n net.ipv4.ip_forward"
	path := filepath.Join(labkit.WorkDir(), c.Name+"-plan.json")
	save := func() {
		t.Helper()
		if r := c.drover(t, "plan", "--out", path); r.Code != 2 {
			t.Fatal(r)
		}
	}
	c.ssh(t, "kube-node-1", "sysctl -q -w net.ipv4.ip_forward=0")
	save()
	c.kubectl(t, "label", "node", "kube-node-1", "topology.kubernetes.io/zone-")

	before := c.allTraces(t)
	r := c.drover(t, "apply", path)
	if r.Code != 1 || !strings.Contains(r.Stderr, "is not what there is to do now, so nothing was touched:\n  cluster/node:kube-node-1: was ") {
		t.Errorf("want exit 1 and what moved: %s", r)
	}
	expectMoved(t, before, c.allTraces(t), touched{})
	if got := c.ssh(t, "kube-node-1", forward); got != "0" {
		t.Errorf("what the refused plan was for has been done: %s", got)
	}

	save()
	r = c.drover(t, "apply", path)
	if r.Code != 0 || !strings.Contains(r.Stdout, "done: 3 changes") || strings.Contains(r.Stderr, "Apply this") {
		t.Errorf("want both done, and told, and nothing asked: %s", r)
	}
	expectMoved(t, before, c.allTraces(t), touched{files: []string{"kube-node-1 " + factFile}, api: []string{"Node kube-node-1"}})
	if got := c.ssh(t, "kube-node-1", forward); got != "1" {
		t.Errorf("forwarding is %s", got)
	}
	if r := c.drover(t, "plan"); r.Code != 0 {
		t.Errorf("something is left to do: %s", r)
	}
}
