package fleetbench

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
)

// A machine that is at the address of a node which the inventory does not name is nobody
// drover takes anything from, unless it is that node.
func TestUnnamedNodeIsAnotherMachine(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Replace("kube-node-2")
	put(t, f.Host("kube-node-2"), "/var/lib/kubelet/pki/kubelet-client-current.pem") // half of another cluster's
	f.DropKnown("kube-node-2")
	before := dumps(f)
	says(t, said(t, f, 1, "node", "remove", "kube-node-2", "--auto-approve"), "the machine at 10.64.1.2 belongs to no cluster, and is another than the cluster knows there", "--unreachable does so all the same")
	if dumps(f) != before {
		t.Error("something was changed")
	}
	was := f.Host("kube-node-2").Dump()
	said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve", "--unreachable")
	if f.Host("kube-node-2").Dump() != was {
		t.Error("the other machine was changed")
	}
	still(t, f, map[string]string{"kube-node-1": ""})
}

// Nor is another, empty machine that the inventory has under the node's name by now: what
// there is of the node is where the cluster knows it, and while it is heard of it stays.
func TestNamedNodeIsAnotherMachine(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"kube-node-2": "10.64.9.2", "kube-master-3": "10.64.9.3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := settled(t, fleettest.Config{Masters: 3, Nodes: 2})
			f.Run(fleettest.Pod{Namespace: "web", Name: "web-0", Node: "kube-node-2", Set: "web"})
			nodes := f.Nodes()
			f.Supplant(name, at)
			before := dumps(f)
			command := []string{"node", "remove", name, "--auto-approve"}
			says(t, said(t, f, 1, command...), "not removed, and nothing was touched:", "the machine at "+at+" belongs to no cluster, and is another than "+name+", which the cluster knows at 10.64.", "--unreachable does so all the same")
			says(t, said(t, f, 1, append(command, "--unreachable")...), name+" is not dead: the cluster hears of it")
			if dumps(f) != before || f.Pods()["web/web-0"] != "kube-node-2" {
				t.Error("something was changed")
			}
			if d := cmp.Diff(nodes, f.Nodes()); d != "" {
				t.Errorf("Nodes, -want +got:\n%s", d)
			}
		})
	}
}

// One that died, with another in its place, is removed as one that cannot be reached, and
// the masters remember that it was not reset.
func TestDeadNodeIsRemovedInWhosePlaceAnotherIs(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.Replace("kube-node-2")
	was := f.Host("kube-node-2").Dump()
	says(t, said(t, f, 0, "node", "remove", "kube-node-2", "--auto-approve", "--unreachable"), "kube-node-2 is removed without being reset")
	if f.Host("kube-node-2").Dump() != was {
		t.Error("the other machine was changed")
	}
	still(t, f, map[string]string{"kube-node-1": ""})
	says(t, said(t, f, 2, "plan"), "another machine that was kube-node-2 was removed on ")
}

// A BIG-IP whose block is missing from the inventory keeps its sessions, and is told of.
func TestAnUnnamedBigIPIsKept(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	f.Peer("f5-b")
	writes := f.Writes()
	const kept = "BIG-IP f5-b: hosts have sessions with it that drover made, but the inventory does not name it: kept; `kubectl delete bgppeers.crd.projectcalico.org/drover-f5-b bgpfilters.crd.projectcalico.org/drover-f5-b` ends them"
	says(t, said(t, f, 0, "plan"), kept, "nothing to do")
	says(t, said(t, f, 0, "apply", "--non-interactive"), kept, "nothing to do")
	if out := said(t, f, 0, "check"); out != "" {
		t.Errorf("a check says:\n%s", out)
	}
	if f.Writes() != writes {
		t.Error("the API was written to")
	}
}
