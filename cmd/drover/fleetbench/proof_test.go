package fleetbench

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// unanswered has a drover killed that waits for the pod that is to prove a node, and that
// pod go.
func unanswered(t *testing.T, f *fleettest.Fleet, args ...string) {
	t.Helper()
	asked, once := make(chan struct{}), sync.Once{}
	f.Mute(func() { once.Do(func() { close(asked) }) })
	defer f.Mute(nil)
	c := f.Command(drover, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Error("no pod was asked")
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	f.Clear()
}

// A node on which no pod was seen to answer is not done, although it has its block by
// then: its proof is wanted, and shown, until it was had.
func TestProofIsWantedUntilItWasHad(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	f.Add(1)
	add := []string{"node", "add", "kube-node-2", "--auto-approve"}
	unanswered(t, f, add...)
	const unproven = "~ block:kube-node-2: block is unproven: no pod on the node was seen to answer, and no service address leads to it until then, not there"
	says(t, said(t, f, 2, "plan"), unproven)
	f.InjectWrite(hosttest.Fault{Do: hosttest.Fail, Match: "/pods/drover-proof-kube-node-2"})
	says(t, said(t, f, 1, add...), "cluster/block:kube-node-2  FAILED")
	unanswered(t, f, "apply", "--auto-approve")
	says(t, said(t, f, 2, "plan"), unproven)
	says(t, said(t, f, 0, add...), "cluster/block:kube-node-2  updated")
	says(t, said(t, f, 0, "plan"), "nothing to do")
	if notes := f.Notes("kube-node-2"); notes["drover.io/unproven"] != nil {
		t.Errorf("%v", notes)
	}
}

// A bootstrap leaves no proof to be had, nor do clusters wait for one whose Nodes never
// said so. Where a policy forbids pods to answer, that is said, once.
func TestProofThatCannotBeHad(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	for _, name := range []string{"kube-master-1", "kube-node-1"} {
		if notes := f.Notes(name); len(notes) == 0 || notes["drover.io/unproven"] != nil {
			t.Errorf("%s: %v", name, notes)
		}
	}
	f.Mute(func() { t.Error("a pod was asked") })
	says(t, said(t, f, 0, "plan"), "nothing to do")
	f.Police("default-deny")
	f.Add(1)
	says(t, said(t, f, 0, "node", "add", "kube-node-2", "--auto-approve"),
		"not proven: whether drover-proof-kube-node-2 answers kube-master-1 from its node was not asked, as the policy GlobalNetworkPolicy default-deny may keep it from that")
	says(t, said(t, f, 0, "plan"), "nothing to do")
}

// A new node announces services when it has the ways to the pods behind them, and not as
// soon as it can: its Node is made aside, and comes into service with its proof.
func TestNewNodeIsAsideUntilItHasRoutes(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	f.Add(1)
	f.Late("kube-node-2", 2)
	out := said(t, f, 0, "node", "add", "kube-node-2", "--auto-approve")
	says(t, out, "block:kube-node-2  waiting: it has none to ")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
	inSync(t, f)
}

// A node that does not become Ready holds up no other that is added with it: that one is
// proven, and serves.
func TestBadNodeHoldsNoOtherAside(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	f.Add(2)
	f.Complain("kube-node-3")
	proven := make(chan struct{})
	var once sync.Once
	f.Watch(func(request string) {
		if strings.HasPrefix(request, "DELETE /api/v1/namespaces/kube-system/pods/drover-proof-kube-node-2") {
			once.Do(func() { close(proven) })
		}
	})
	c := f.Command(drover, "node", "add", "kube-node-2", "kube-node-3", "--auto-approve")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-proven:
	case <-time.After(time.Minute):
		t.Error("kube-node-2 is not proven")
	}
	_ = c.Process.Signal(os.Interrupt)
	_ = c.Wait()
	f.Clear()
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "", "kube-node-3": "excluded"})
	says(t, said(t, f, 2, "plan"), "~ block:kube-node-3: block is unproven", "no service address leads to it until then")
}
