package fleetbench

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// A removal of several that does not come to its end tells of each how it is left, and
// has all of them serve again when that was asked for.
func TestRemovalTellsHowItLeavesEach(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 3})
	f.Run(fleettest.Pod{Namespace: "x", Name: "kept", Node: "kube-node-2", Set: "kept", Kept: true})
	said(t, f, 0, "node", "cordon", "kube-node-3")
	begin := f.Save()
	command := []string{"node", "remove", "kube-node-2", "kube-node-3", "--auto-approve", "--timeout", "2s"}
	fail := func() {
		f.InjectWrite(hosttest.Fault{Do: hosttest.Fail, Match: "PATCH /api/v1/nodes/kube-node-3"}) // the exclusion
	}
	fail()
	says(t, said(t, f, 1, command...),
		"kube-node-2 is left cordoned: `drover node uncordon kube-node-2` lets pods on it again",
		"kube-node-2 was not removed, and is cordoned and kept from service addresses; `drover node uncordon kube-node-2` undoes that; the same command goes on",
		"kube-node-3 was not removed, and is cordoned; `drover node uncordon kube-node-3` undoes that; the same command goes on")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "cordoned excluded", "kube-node-3": "cordoned"})

	// Nor does anybody make it a node again without hearing of that.
	const warned = "kube-node-2 is a node that a removal has begun with and not ended: it is cordoned and kept from service addresses. `drover node uncordon kube-node-2` has it serve again"
	says(t, said(t, f, 0, "plan"), warned)
	says(t, said(t, f, 0, "node", "add", "kube-node-2", "--auto-approve"), warned)
	says(t, said(t, f, 0, "apply", "--auto-approve"), warned)
	saysNot(t, said(t, f, 0, "node", "add", "kube-node-1", "--auto-approve"), warned)
	saysNot(t, said(t, f, 2, "plan", "--prune", "kube-node-2"), warned)
	said(t, f, 0, "node", "uncordon", "kube-node-2")
	saysNot(t, said(t, f, 0, "plan"), "a removal has begun with")

	f.Restore(begin)
	fail()
	says(t, said(t, f, 1, append(command, "--if-stuck", "schedulable")...), "kube-node-2 is left schedulable",
		"kube-node-2 was not removed, and takes pods", "kube-node-3 was not removed, and takes pods again")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "", "kube-node-3": ""})
}

// That a node takes pods again is only said of one that does.
func TestNodeThatCannotBeReopened(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "x", Name: "kept", Node: "kube-node-2", Set: "kept", Kept: true})
	command := []string{"node", "remove", "kube-node-2", "--auto-approve", "--timeout", "2s", "--if-stuck", "schedulable"}
	meanwhile(f, "/kept/eviction", func() {
		f.InjectWrite(hosttest.Fault{Do: hosttest.Fail, Match: "PATCH /api/v1/nodes/kube-node-2"})
	})
	out := said(t, f, 1, command...)
	says(t, out, "kube-node-2 could not be made schedulable", "`drover node uncordon kube-node-2` lets pods on it again", "kube-node-2 was not removed, and takes pods again")
	saysNot(t, out, "is left schedulable")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
}

// A machine that was begun with is not let serve again, whatever was asked for.
func TestNodeRemovedInPartIsNotReopened(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-0", Node: "kube-node-2", Set: "web"})
	var evicted atomic.Bool
	var late sync.Once
	f.Watch(func(r string) { // its host is not reset then
		if evicted.Load() && r == "GET /api/v1/nodes/kube-node-2" {
			late.Do(func() { f.Run(fleettest.Pod{Namespace: "web", Name: "late", Node: "kube-node-2", Set: "web"}) })
		}
		if strings.HasSuffix(r, "/web-0/eviction") {
			evicted.Store(true)
		}
	})
	out := said(t, f, 1, "node", "remove", "kube-node-2", "--auto-approve", "--if-stuck", "schedulable")
	says(t, out, "kube-node-2/reset:drover  FAILED", "kube-node-2 was not removed to the end, and is cordoned and kept from service addresses; the same command goes on")
	saysNot(t, out, "undoes that")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "cordoned excluded"})
}

// A master that was drained and has to stay, as another that was to go with it is stuck,
// is told of and takes pods again.
func TestMasterThatStaysBecauseOfAnother(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
	f.Run(fleettest.Pod{Namespace: "x", Name: "kept", Node: "kube-master-2", Set: "kept", Kept: true})
	before := f.Nodes()
	command := []string{"node", "remove", "kube-master-2", "kube-master-3", "--auto-approve", "--timeout", "2s"}
	says(t, said(t, f, 1, command...), "kube-master-2 was not removed, and is cordoned;", "kube-master-3 was not removed, and is cordoned; `drover node uncordon kube-master-3` undoes that")
	says(t, said(t, f, 1, append(command, "--if-stuck", "schedulable")...), "kube-master-2 is left schedulable", "kube-master-3 was not removed, and takes pods again")
	if d := cmp.Diff(before, f.Nodes()); d != "" {
		t.Error(d)
	}
}

// Who was drained is left as was asked for; of who was not there is a word.
func TestDrainTellsHowItLeavesEach(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 3})
	f.Run(fleettest.Pod{Namespace: "x", Name: "kept", Node: "kube-node-2", Set: "kept", Kept: true},
		fleettest.Pod{Namespace: "web", Name: "web-0", Node: "kube-node-3", Set: "web"})
	out := said(t, f, 1, "node", "drain", "kube-node-2", "kube-node-3", "--auto-approve", "--timeout", "2s", "--if-stuck", "schedulable")
	says(t, out, "kube-node-2 was not drained, and takes pods")
	saysNot(t, out, "kube-node-3 was not drained")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "", "kube-node-3": "cordoned"})
}

// A removal that was killed leaves word of the cordon, also on a master, to which no
// service address leads anyhow, and until that is taken back.
func TestCordonOfARemovalThatWasKilledIsToldOf(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 2})
	for _, name := range []string{"kube-master-3", "kube-node-2"} {
		c := f.Command(drover, "node", "remove", name, "--auto-approve")
		running := make(chan *os.Process, 1)
		f.InjectWrite(hosttest.Fault{Match: "PATCH /api/v1/nodes/" + name, Do: hosttest.Cut, When: hosttest.After, Struck: func() { _ = (<-running).Kill() }})
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		running <- c.Process
		_ = c.Wait() // it was killed
		f.Mend()
		warned := name + " is a node that a removal has begun with and not ended: it is cordoned. `drover node uncordon " + name + "` has it serve again"
		says(t, said(t, f, 0, "plan"), warned)
		said(t, f, 0, "node", "uncordon", name, "--lock-wait", "1m")
		said(t, f, 0, "node", "cordon", name) // that is the operator's
		saysNot(t, said(t, f, 0, "plan"), "a removal has begun with")
	}
}
