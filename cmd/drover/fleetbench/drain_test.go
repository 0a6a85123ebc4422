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
