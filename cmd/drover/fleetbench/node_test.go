package fleetbench

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// said runs a drover, which has to end so, and tells what it said.
func said(t *testing.T, f *fleettest.Fleet, exit int, args ...string) string {
	t.Helper()
	return must(t, measured(t, f.Command(drover, args...), ""), exit).Out
}

// says fails unless a text has all of these in it.
func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}

// saysNot fails when a text has this in it.
func saysNot(t *testing.T, text, unwanted string) {
	t.Helper()
	if strings.Contains(text, unwanted) {
		t.Errorf("it says %q:\n%s", unwanted, text)
	}
}

// still fails unless the Nodes are these, each with what keeps it out of service.
func still(t *testing.T, f *fleettest.Fleet, want map[string]string) {
	t.Helper()
	want = maps.Clone(want)
	want["kube-master-1"] = ""
	if d := cmp.Diff(want, f.Nodes()); d != "" {
		t.Errorf("Nodes, -want +got:\n%s", d)
	}
}

// asked are the hosts that anything was asked of since Forget.
func asked(f *fleettest.Fleet) string {
	var names []string
	for _, h := range f.Hosts {
		if len(h.Machine.Ops()) > 0 {
			names = append(names, h.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestNodesOutOfServiceAndBack(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 3})
	f.Run(
		fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-1", Set: "web"},
		fleettest.Pod{Namespace: "web", Name: "web-b", Node: "kube-node-2", Set: "web"},
	)
	said(t, f, 0, "node", "cordon", "kube-node-2", "kube-node-3")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": "cordoned", "kube-node-3": "cordoned"})
	said(t, f, 0, "node", "uncordon", "kube-node-3")
	// A cordon is the operator's, not drift.
	says(t, said(t, f, 0, "plan"), "nothing to do")

	says(t, said(t, f, 0, "node", "drain", "kube-node-1", "--auto-approve"), "cluster/drain:kube-node-1", "web/web-a", "done: 2 changes")
	still(t, f, map[string]string{"kube-node-1": "cordoned", "kube-node-2": "cordoned", "kube-node-3": ""})
	for name, node := range f.Pods() {
		if node == "kube-node-1" {
			t.Errorf("%s is still there", name)
		}
	}
	f.Forget()
	says(t, said(t, f, 0, "node", "drain", "kube-node-1"), "nothing to do")
	if got := asked(f); got != "kube-master-1" {
		t.Errorf("asked %s, and needs no host but the masters", got)
	}
	says(t, said(t, f, 1, "node", "drain", "kube-node-9"), `the cluster has no node "kube-node-9": it has kube-master-1, kube-node-1`)
}

func TestDrainRefuses(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(
		fleettest.Pod{Namespace: "db", Name: "db-0", Node: "kube-node-1", Set: "db"},
		fleettest.Pod{Namespace: "x", Name: "alone", Node: "kube-node-1"},
		fleettest.Pod{Namespace: "x", Name: "scratch", Node: "kube-node-1", Set: "scratch", EmptyDir: true},
	)
	f.Budget("db", "keep", "db", 0)
	says(t, said(t, f, 1, "node", "drain", "kube-node-1", "--auto-approve"),
		"not drained, and nothing was touched:",
		"PodDisruptionBudget db/keep allows none of its 1 pods to be missing (minAvailable 1), and these would have to leave: db/db-0 (--disable-eviction does so all the same)",
		"no controller would make these pods again: x/alone (--force does so all the same)",
		"x/scratch (--delete-emptydir-data does so all the same)")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})

	all := []string{"node", "drain", "kube-node-1", "--auto-approve", "--force", "--delete-emptydir-data", "--disable-eviction"}
	said(t, f, 0, all...)
	if f.Pods()["db/db-0"] != "" {
		t.Error("a pod is left")
	}

	// One that does not end is told of when the deadline is over.
	said(t, f, 0, "node", "uncordon", "kube-node-1")
	f.Run(fleettest.Pod{Namespace: "x", Name: "kept", Node: "kube-node-1", Set: "kept", Kept: true})
	out := said(t, f, 1, "node", "drain", "kube-node-1", "--auto-approve", "--timeout", "5s")
	says(t, out, "waited 5s for the pods on kube-node-1 to go", "pod x/kept has ended, and is kept by its finalizers example.com/keep", "kube-node-1 is left cordoned")
	still(t, f, map[string]string{"kube-node-1": "cordoned", "kube-node-2": ""})
	out = said(t, f, 1, "node", "drain", "kube-node-1", "--auto-approve", "--timeout", "1s", "--if-stuck", "schedulable")
	says(t, out, "kube-node-1 is left schedulable")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
}

// What a removal leaves of a node is nothing: the cluster is as before it came, and
// the host as well. Others are not asked.
func TestNodeAddedAndRemovedLeavesNothing(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	before := f.End()
	f.Add(1)
	f.Forget()
	says(t, said(t, f, 0, "node", "add", "kube-node-3", "--auto-approve"), "kube-node-3/kubelet:joined  created", "cluster/block:kube-node-3  created")
	if got := asked(f); got != "kube-master-1 kube-node-3" {
		t.Errorf("asked %s", got)
	}
	says(t, said(t, f, 0, "plan"), "nothing to do")
	says(t, said(t, f, 0, "node", "add", "kube-node-3"), "nothing to do")

	f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-node-3", Set: "web"})
	f.Forget()
	shown := said(t, f, 2, "plan", "--prune", "kube-node-3")
	says(t, shown, "cordon:kube-node-3", "exclude:kube-node-3", "drain:kube-node-3: pods is web/web-a, not none", "- node:kube-node-3", "- blocks:kube-node-3", "- reset:drover")
	f.Forget()
	out := said(t, f, 0, "node", "remove", "kube-node-3", "--auto-approve")
	says(t, out, "kube-node-3/reset:drover  deleted", "the inventory still names kube-node-3")
	if got := asked(f); got != "kube-master-1 kube-node-3" {
		t.Errorf("asked %s", got)
	}
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
	if f.Pods()["web/web-a"] != "" || len(f.Pods()) != 1 {
		t.Errorf("pods: %v", f.Pods())
	}
	says(t, said(t, f, 0, "node", "remove", "kube-node-3"), "nothing to do")

	f.Drop("kube-node-3")
	says(t, said(t, f, 0, "plan"), "nothing to do")
	says(t, said(t, f, 1, "node", "remove", "kube-node-3"), `neither the inventory nor the cluster has a node "kube-node-3"`)
	f.Clear()
	if d := cmp.Diff(before, onDisk(f.End(), "kube-node-3")); d != "" {
		t.Errorf("it is not as before, -before +now:\n%s", d)
	}
}

// onDisk is what a fleet holds, of one host only what is on its disk: running kernel
// settings stay.
func onDisk(end, name string) string {
	var out strings.Builder
	for line := range strings.Lines(end) {
		if rest, of := strings.CutPrefix(line, name+" "); !of || strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, "/ ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// A missing fragment removes nobody; the same command goes on where it was cut off,
// also when nothing names the node any more but the cluster.
func TestNodeRemovedThatTheInventoryLacks(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Drop("kube-node-2")
	says(t, said(t, f, 0, "plan"), "kube-node-2 is a member but the inventory does not name it: kept; `drover node remove kube-node-2` removes it", "nothing to do")
	says(t, said(t, f, 69, "node", "remove", "kube-node-2", "--auto-approve"), "kube-node-2 cannot be reached", "--unreachable does so all the same")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
	f.PowerOff("kube-node-2")
	said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve", "--unreachable")
	still(t, f, map[string]string{"kube-node-1": ""})
}

func TestDeadNodeRemovedComesBackIntoNothing(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(
		fleettest.Pod{Namespace: "db", Name: "db-0", Node: "kube-node-2", Set: "db", EmptyDir: true},
		fleettest.Pod{Namespace: "x", Name: "alone", Node: "kube-node-2"},
	)
	f.Budget("db", "keep", "db", 0)
	f.PowerOff("kube-node-2")
	says(t, said(t, f, 69, "node", "remove", "kube-node-2", "--auto-approve"), "not removed, and nothing was touched:", "kube-node-2 cannot be reached", "--unreachable")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
	says(t, said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve", "--unreachable"), "kube-node-2 is removed without being reset", "the inventory still names kube-node-2")
	still(t, f, map[string]string{"kube-node-1": ""})
	f.PowerOn("kube-node-2")
	still(t, f, map[string]string{"kube-node-1": ""})
	// It is a node again when somebody says so. Its kubelet, which has looked for its Node
	// in vain, is started again.
	starts := func() int { return f.Host("kube-node-2").Machine.State().Units["kubelet.service"].Starts }
	before := starts()
	said(t, f, 0, "node", "add", "kube-node-2", "--auto-approve")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
	if starts() != before+1 {
		t.Errorf("its kubelet was started %d times", starts()-before)
	}
	// And its host can be cleaned now.
	says(t, said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve"), "kube-node-2/reset:drover  deleted")
}

func TestRemovalRefuses(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Run(
		fleettest.Pod{Namespace: "big", Name: "a", Node: "kube-node-1", Set: "a", CPU: "3"},
		fleettest.Pod{Namespace: "big", Name: "b", Node: "kube-node-2", Set: "b", CPU: "3"},
	)
	says(t, said(t, f, 1, "node", "remove", "kube-node-2", "--auto-approve"), "these pods would find no room: big/b (asks for 3 CPU and 0 memory) (--without-room does so all the same)")
	says(t, said(t, f, 1, "apply", "--prune", "kube-node-2", "--auto-approve"), "these pods would find no room: big/b")
	says(t, said(t, f, 2, "plan", "--prune", "kube-node-2"), "apply would refuse this: by what they ask for, these pods would find no room: big/b")
	says(t, said(t, f, 1, "node", "remove", "kube-node-1", "kube-node-2", "--auto-approve"), "no other kube-node is Ready and takes pods")
	says(t, said(t, f, 64, "node", "remove", "kube-master-1", "--auto-approve"), "kube-master-1 cannot be removed: the inventory names no master that would stay")
	f.Drop("kube-node-2") // nor is anybody removed by that
	says(t, said(t, f, 1, "node", "remove", "kube-node-7", "--auto-approve"), `neither the inventory nor the cluster has a node "kube-node-7"`)
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
}

func TestPruneDoesBesidesAllElse(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Host("kube-node-1").Machine.Edit(func(s *hosttest.State) {
		s.Sysctls["net.ipv4.ip_forward"] = "0"
	})
	out := said(t, f, 0, "apply", "--prune", "kube-node-2", "--auto-approve")
	says(t, out, "kube-node-1/sysctl:kubernetes  updated", "cluster/node:kube-node-2  deleted")
	still(t, f, map[string]string{"kube-node-1": ""})
	says(t, said(t, f, 2, "plan", "--prune", "kube-node-1"), "apply would refuse this: no other kube-node is Ready")
}

// What else is new, or differs, is left alone.
func TestAddIsOfTheNodesNamed(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	f.Add(2)
	f.Host("kube-node-1").Machine.Edit(func(s *hosttest.State) { s.Sysctls["net.ipv4.ip_forward"] = "0" })
	said(t, f, 0, "node", "add", "kube-node-3", "--auto-approve")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-3": ""})
	says(t, said(t, f, 2, "plan"), "~ sysctl:kubernetes", "+ node:kube-node-2")
}
