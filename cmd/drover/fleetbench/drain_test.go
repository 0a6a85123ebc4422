package fleetbench

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
)

// meanwhile has something happen once, when the API is asked this for the first time.
func meanwhile(f *fleettest.Fleet, request string, do func()) {
	var once sync.Once
	f.Watch(func(r string) {
		if strings.Contains(r, request) {
			once.Do(do)
		}
	})
}

// kubeletsFiles is whether a host has what a reset takes.
func kubeletsFiles(f *fleettest.Fleet, name string) bool {
	for file := range f.Host(name).Machine.State().Files {
		if strings.HasPrefix(file, "/var/lib/kubelet/") {
			return true
		}
	}
	return false
}

// A node that was empty when the plan was made may have pods when it is carried out: they
// are asked to go as all others are, and its host is not reset under them.
func TestRemovalDrainsWhoCameAfterThePlan(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Budget("db", "keep", "db", 0)
	meanwhile(f, "PATCH /api/v1/nodes/kube-node-2", func() { // by the scheduler, before the cordon
		f.Run(fleettest.Pod{Namespace: "db", Name: "db-0", Node: "kube-node-2", Set: "db"})
	})
	begin := f.Save()
	out := said(t, f, 1, "node", "remove", "kube-node-2", "--auto-approve", "--timeout", "2s")
	says(t, out, "waited 2s for the pods on kube-node-2 to go", "the disruption budget keep needs 1 healthy pods", "kube-node-2 is left cordoned")
	if f.Pods()["db/db-0"] != "kube-node-2" || !kubeletsFiles(f, "kube-node-2") {
		t.Errorf("pods: %v", f.Pods())
	}
	f.Restore(begin)
	f.Clear()
	meanwhile(f, "PATCH /api/v1/nodes/kube-node-2", func() {
		f.Run(fleettest.Pod{Namespace: "web", Name: "web-0", Node: "kube-node-2", Set: "web"})
	})
	said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve")
	if f.Pods()["web/web-0-again"] != "kube-node-1" {
		t.Errorf("pods: %v", f.Pods())
	}
	still(t, f, map[string]string{"kube-node-1": ""})
}

// Nor is it reset under pods that came past the cordon, when all others had gone.
func TestNoHostIsResetUnderPods(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-0", Node: "kube-node-2", Set: "web"})
	var evicted atomic.Bool
	var late sync.Once
	f.Watch(func(r string) {
		if strings.HasSuffix(r, "/web-0/eviction") {
			evicted.Store(true)
		}
		if evicted.Load() && r == "GET /api/v1/nodes/kube-node-2" { // the drain is seen to be done
			late.Do(func() { f.Run(fleettest.Pod{Namespace: "web", Name: "late", Node: "kube-node-2", Set: "web"}) })
		}
	})
	command := []string{"node", "remove", "kube-node-2", "--auto-approve"}
	says(t, said(t, f, 1, command...), "the host is not reset, as these pods have come to kube-node-2 since it was drained: web/late; the same command drains it again")
	if f.Pods()["web/late"] != "kube-node-2" || !kubeletsFiles(f, "kube-node-2") {
		t.Errorf("pods: %v", f.Pods())
	}
	said(t, f, 0, command...)
	still(t, f, map[string]string{"kube-node-1": ""})
}

// A host that cannot be reached, and of which the cluster hears, is not dead, whatever its
// kubelet says and whatever flag is given: nothing is taken off it unasked.
func TestWhoIsHeardOfIsNotRemovedAsDead(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-0", Node: "kube-node-2", Set: "web"})
	command := []string{"node", "remove", "kube-node-2", "--auto-approve", "--unreachable"}
	f.Host("kube-node-2").Server.Vanish(true)
	for range 2 {
		before := dumps(f)
		says(t, said(t, f, 1, command...), "not removed, and nothing was touched:", "kube-node-2 is not dead: the cluster hears of it")
		if dumps(f) != before || f.Pods()["web/web-0"] != "kube-node-2" {
			t.Error("something was changed")
		}
		f.Complain("kube-node-2")
	}
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
}

// One that is silent when the plan is made, and heard of before it was so for long, is
// drained as any other.
func TestWhoIsHeardOfAgainIsDrained(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "db", Name: "db-0", Node: "kube-node-2", Set: "db"})
	f.Budget("db", "keep", "db", 0)
	f.Silence("kube-node-2")
	f.Host("kube-node-2").Server.Vanish(true)
	var looks atomic.Int32
	f.Watch(func(r string) {
		if strings.HasSuffix(r, "/leases/kube-node-2") && looks.Add(1) == 4 {
			f.Speak("kube-node-2")
		}
	})
	says(t, said(t, f, 1, "node", "remove", "kube-node-2", "--auto-approve", "--unreachable", "--timeout", "2s"),
		"the disruption budget keep needs 1 healthy pods", "kube-node-2 is left cordoned")
	if f.Pods()["db/db-0"] != "kube-node-2" {
		t.Errorf("pods: %v", f.Pods())
	}
}

// Nor does its Node go when it is heard of after the plan was made: its host would go on
// with all that it has.
func TestNodeOfWhoIsHeardOfAgainStays(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.PowerOff("kube-node-2")
	meanwhile(f, "PATCH /api/v1/nodes/kube-node-2", func() { f.PowerOn("kube-node-2") })
	command := []string{"node", "remove", "kube-node-2", "--auto-approve"}
	says(t, said(t, f, 1, append(command, "--unreachable")...), "the cluster hears of kube-node-2 again, whose host was not reset, so its Node stays")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "cordoned excluded"})
	says(t, said(t, f, 0, command...), "kube-node-2/reset:drover  deleted")
	still(t, f, map[string]string{"kube-node-1": ""})
}

// A host that is reached and has no kubelet any more, nor anything that one ran, has
// nobody who could end its pods.
func TestNodeWithoutAKubeletIsRemoved(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-0", Node: "kube-node-2", Set: "web"})
	f.Silence("kube-node-2")
	said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve", "--timeout", "5s")
	still(t, f, map[string]string{"kube-node-1": ""})
	if f.Pods()["web/web-0-again"] != "kube-node-1" {
		t.Errorf("pods: %v", f.Pods())
	}
}
