package fleetbench

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
)

// Three masters become one again, and nothing of the two is left: neither in the cluster
// nor on them, nor on any list. No kubelet and no API server starts again.
func TestThreeMastersBecomeOne(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.AddMasters(2)
	before := f.End()
	apply(t, f)
	started := starts(f)
	shown := said(t, f, 2, "plan", "--prune", "kube-master-2", "--prune", "kube-master-3")
	says(t, shown, "+ etcd-snapshot:before kube-master-2", "+ etcd-snapshot:before kube-master-3", "~ cordon:kube-master-2", "- etcd-member:kube-master-2 ", "- node:kube-master-3",
		"~ file:/etc/drover/haproxy.cfg", "~ control-plane:stopped: runs is kube-apiserver.service, kube-controller-manager.service, kube-scheduler.service, not no", "- reset:drover")
	kept := snapshotsOn(f, "kube-master-1")
	out := said(t, f, 0, "node", "remove", "kube-master-2", "kube-master-3", "--auto-approve")
	says(t, out, "the inventory still names kube-master-2, kube-master-3", "a snapshot of etcd is kept on kube-master-1:")
	inOrder(t, out, "cluster/etcd-snapshot:before kube-master-2  created", "cluster/cordon:kube-master-2  updated", "kube-node-1/unit:drover-haproxy.service  ",
		"kube-master-2/control-plane:stopped  updated", "cluster/etcd-member:kube-master-2 ", "kube-master-2/reset:drover  deleted", "cluster/node:kube-master-2  deleted",
		"cluster/etcd-snapshot:before kube-master-3  created", "kube-master-3/control-plane:stopped  updated", "cluster/etcd-member:kube-master-3 ", "kube-master-3/reset:drover  deleted")
	members(t, f, []string{"kube-master-1"}, "add 10.64.0.2", "promote kube-master-2", "add 10.64.0.3", "promote kube-master-3", "remove kube-master-2", "remove kube-master-3")
	if n := snapshotsOn(f, "kube-master-1"); n != kept+2 {
		t.Errorf("%d snapshots are kept, and %d before", n, kept)
	}
	for unit, was := range started {
		host, name, _ := strings.Cut(unit, " ")
		if is := starts(f)[unit]; host != "kube-master-2" && host != "kube-master-3" && name != "drover-haproxy.service" && is != was {
			t.Errorf("%s was started %d times, and %d before", unit, is, was)
		}
	}
	listed(t, f, "10.64.0.1")
	says(t, said(t, f, 0, "node", "remove", "kube-master-2", "kube-master-3"), "nothing to do")
	f.Drop("kube-master-2")
	f.Drop("kube-master-3")
	inSync(t, f)
	here := func(end string) string { return onDisk(onDisk(end, "kube-master-2"), "kube-master-3") }
	if d := cmp.Diff(here(before), here(f.End())); d != "" {
		t.Errorf("it is not as before, -before +now:\n%s", d)
	}
}

// inOrder fails unless a text has these in it, each after the one before.
func inOrder(t *testing.T, text string, want ...string) {
	t.Helper()
	rest := text
	for _, w := range want {
		_, after, found := strings.Cut(rest, w)
		if !found {
			t.Errorf("it does not say %q after what comes before:\n%s", w, text)
			return
		}
		rest = after
	}
}

// listed fails unless the hosts that are in the cluster have these API servers on their
// lists, and no other.
func listed(t *testing.T, f *fleettest.Fleet, addresses ...string) {
	t.Helper()
	for _, h := range f.Hosts {
		config := h.Machine.State().Files["/etc/drover/haproxy.cfg"].Content
		if _, in := f.Nodes()[h.Name]; !in {
			continue
		}
		var want, got []string
		for _, a := range addresses {
			want = append(want, a+":6443")
		}
		for line := range strings.Lines(config) {
			if words := strings.Fields(line); len(words) > 2 && words[0] == "server" && !slices.Contains(got, words[2]) {
				got = append(got, words[2])
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s has another list, -want +got:\n%s", h.Name, d)
		}
	}
}

// The first master, which leads and keeps the keys, goes like any other, and the one that
// is left with another is told of.
func TestTheFirstMasterLeaves(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
	shown := said(t, f, 2, "plan", "--prune", "kube-master-1")
	says(t, shown, "etcd-lead:kube-master-1: leads is yes, not no", "2 masters are left, of which 0 may fail")
	out := said(t, f, 0, "node", "remove", "kube-master-1", "--auto-approve")
	says(t, out, "2 masters are left, of which 0 may fail: an even number survives no more than one less")
	inOrder(t, out, "cluster/etcd-lead:kube-master-1  updated", "cluster/etcd-member:kube-master-1 ")
	members(t, f, []string{"kube-master-2", "kube-master-3"}, "remove kube-master-1")
	listed(t, f, "10.64.0.2", "10.64.0.3")
	// Also while the inventory names it still, nobody is led there.
	says(t, said(t, f, 0, "kubeconfig"), "server: https://10.64.0.2:6443")
	says(t, said(t, f, 0, "node", "remove", "kube-master-2", "--auto-approve"), "cluster/etcd-lead:kube-master-2")
	members(t, f, []string{"kube-master-3"}, "remove kube-master-1", "remove kube-master-2")
	// The last one never goes.
	before := dumps(f)
	says(t, said(t, f, 1, "node", "remove", "kube-master-3", "--auto-approve"), "kube-master-3 cannot be removed: no other master is left", "drover reset")
	if dumps(f) != before {
		t.Error("something was changed")
	}
	f.Drop("kube-master-1")
	f.Drop("kube-master-2")
	inSync(t, f)
	says(t, said(t, f, 64, "node", "remove", "kube-master-3", "--auto-approve"), "the inventory names no master that would stay")
	says(t, said(t, f, 0, "kubeconfig"), "server: https://10.64.0.3:6443")
	says(t, said(t, f, 1, "node", "remove", "kube-master-1"), `neither the inventory nor the cluster has a node "kube-master-1"`)
}

// Of three masters of which one is dead, none of the two goes, and the dead one does;
// when its power is back, it comes into nothing.
func TestDeadMasterIsRemoved(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
	f.PowerOff("kube-master-3")
	before := dumps(f)
	for _, args := range [][]string{{"node", "remove", "kube-master-2", "--auto-approve"}, {"apply", "--prune", "kube-master-2", "--auto-approve"}, {"plan", "--prune", "kube-master-2"}} {
		says(t, said(t, f, 69, args...), "kube-master-2 cannot be removed: removing kube-master-2 would cost the quorum: afterwards 1 of 2 members answers; quorum is 2",
			"now 2 of 3 members answer; quorum is 2: kube-master-3 does not answer", "if it is dead for good, remove that first: `drover node remove kube-master-3 --unreachable`")
	}
	says(t, said(t, f, 69, "node", "remove", "kube-master-3", "--auto-approve"), "kube-master-3 cannot be reached", "--unreachable does so all the same")
	if dumps(f) != before {
		t.Error("something was changed")
	}
	says(t, said(t, f, 0, "node", "remove", "kube-master-3", "--auto-approve", "--unreachable"),
		"kube-master-3 is removed without being reset", "its etcd, which is a member no more, is refused by the others", "2 masters are left")
	members(t, f, []string{"kube-master-1", "kube-master-2"}, "remove kube-master-3")
	listed(t, f, "10.64.0.1", "10.64.0.2")

	f.PowerOn("kube-master-3")
	members(t, f, []string{"kube-master-1", "kube-master-2"}, "remove kube-master-3")
	says(t, said(t, f, 65, "apply", "--auto-approve"), "kube-master-3 holds the data of an etcd, and is no member of the cluster's", "drover reset kube-master-3")
	still := map[string]string{"kube-master-1": "", "kube-master-2": "", "kube-node-1": ""}
	if d := cmp.Diff(still, f.Nodes()); d != "" {
		t.Errorf("Nodes, -want +got:\n%s", d)
	}
	f.Drop("kube-master-3")
	inSync(t, f)
}

// Two of three go at once when one of them is dead: that one first.
func TestTheDeadOneGoesFirst(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
	f.PowerOff("kube-master-3")
	said(t, f, 0, "node", "remove", "kube-master-2", "kube-master-3", "--auto-approve", "--unreachable")
	members(t, f, []string{"kube-master-1"}, "remove kube-master-3", "remove kube-master-2")
	listed(t, f, "10.64.0.1")
}

// A missing fragment removes no master either; its name alone does, and every host's list
// forgets it, of which the inventory could not tell that they have to.
func TestMasterRemovedThatTheInventoryLacks(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 2})
	f.Drop("kube-master-3")
	says(t, said(t, f, 0, "plan"), "kube-master-3 is a member but the inventory does not name it: kept; `drover node remove kube-master-3` removes it", "nothing to do")
	// Without its block nothing says by which port it is reached here.
	says(t, said(t, f, 69, "node", "remove", "kube-master-3", "--auto-approve"), "kube-master-3 cannot be reached")
	listed(t, f, "10.64.0.1", "10.64.0.2", "10.64.0.3")
	f.PowerOff("kube-master-3")
	said(t, f, 0, "node", "remove", "kube-master-3", "--auto-approve", "--unreachable")
	members(t, f, []string{"kube-master-1", "kube-master-2"}, "remove kube-master-3")
	listed(t, f, "10.64.0.1", "10.64.0.2")
	inSync(t, f)
}

// Prune removes masters and nodes besides all else.
func TestMasterPrunedWithANode(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 2})
	f.Run(fleettest.Pod{Namespace: "web", Name: "web-a", Node: "kube-master-3", Set: "web"})
	says(t, said(t, f, 2, "plan", "--prune", "kube-master-3", "--prune", "kube-node-2"), "drain:kube-master-3: pods is web/web-a, not none", "- etcd-member:kube-master-3 ", "- node:kube-node-2")
	out := said(t, f, 0, "apply", "--prune", "kube-master-3", "--prune", "kube-node-2", "--auto-approve")
	inOrder(t, out, "cluster/etcd-snapshot:before kube-master-3  created", "cluster/drain:kube-master-3  updated", "cluster/etcd-member:kube-master-3 ")
	members(t, f, []string{"kube-master-1", "kube-master-2"}, "remove kube-master-3")
	listed(t, f, "10.64.0.1", "10.64.0.2")
	says(t, said(t, f, 0, "apply", "--prune", "kube-master-3", "--prune", "kube-node-2", "--auto-approve"), "nothing to do")
	f.Drop("kube-master-3")
	f.Drop("kube-node-2")
	inSync(t, f)
}

// Pods on a master are asked to go as on any node.
func TestMasterHeldByABudget(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
	f.Run(fleettest.Pod{Namespace: "db", Name: "db-0", Node: "kube-master-3", Set: "db", CPU: "9"})
	f.Budget("db", "keep", "db", 0)
	says(t, said(t, f, 1, "node", "remove", "kube-master-3", "--auto-approve"), "not removed, and nothing was touched:",
		"PodDisruptionBudget db/keep allows none of its 1 pods to be missing", "these pods would find no room: db/db-0")
	members(t, f, []string{"kube-master-1", "kube-master-2", "kube-master-3"})
}

// What the others can do without is asked again when its pods have gone, which may take
// long: a master on which they have come to rely meanwhile goes on serving, and is on all
// lists.
func TestMasterOnWhichOthersRelyMeanwhileServesOn(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		lose func(*fleettest.Fleet)
		exit int
		want string
	}{
		"no other API server": {func(f *fleettest.Fleet) { f.StopAPI("kube-master-1"); f.StopAPI("kube-master-2") }, 69, "it is the only API server that is ready"},
		"no quorum without":   {func(f *fleettest.Fleet) { f.StopEtcd("kube-master-1") }, 1, "removing kube-master-3 would cost the quorum: afterwards 1 of 2 members answers; quorum is 2"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := settled(t, fleettest.Config{Masters: 3, Nodes: 1})
			f.Run(fleettest.Pod{Namespace: "web", Name: "web-0", Node: "kube-master-3", Set: "web"})
			meanwhile(f, "/web-0/eviction", func() { c.lose(f) })
			says(t, said(t, f, c.exit, "node", "remove", "kube-master-3", "--auto-approve"), c.want,
				"kube-master-3 was not removed, and is cordoned; `drover node uncordon kube-master-3` undoes that; the same command goes on")
			for _, unit := range []string{"kube-apiserver.service", "etcd.service", "kubelet.service"} {
				if !f.Host("kube-master-3").Machine.State().Units[unit].Active {
					t.Errorf("%s was stopped", unit)
				}
			}
			listed(t, f, "10.64.0.1", "10.64.0.2", "10.64.0.3")
			members(t, f, []string{"kube-master-1", "kube-master-2", "kube-master-3"})
		})
	}
}
