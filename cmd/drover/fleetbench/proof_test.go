package fleetbench

import (
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
	const unproven = "~ block:kube-node-2: block is unproven: no pod on the node was seen to answer, not there"
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
