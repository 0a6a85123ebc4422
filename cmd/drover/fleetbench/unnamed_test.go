package fleetbench

import (
	"testing"

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
