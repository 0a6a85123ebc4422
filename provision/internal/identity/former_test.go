package identity

import (
	"net/netip"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/facts"
)

// Who takes a kube-node's place is empty, and not the one that the cluster knows.
func TestWhoTakesAKubeNodesPlace(t *testing.T) {
	here, elsewhere := netip.MustParseAddr("10.90.0.22"), netip.MustParseAddr("10.90.0.99")
	h := inventory.Host{Name: "n2", Address: here}
	for name, test := range map[string]struct {
		machine       facts.Snapshot
		have          Namesake
		former, empty bool // empty: it is refused for not being so
	}{
		"an empty machine at the address there was":     {machine(), Namesake{Node: true, Address: here}, true, false},
		"an empty machine at another":                   {machine(), Namesake{Node: true, Address: elsewhere}, true, false},
		"the member":                                    {machine("note", "kubelet"), Namesake{Node: true, Address: here}, false, false},
		"the member, which moved":                       {machine("note", "kubelet"), Namesake{Node: true, Address: elsewhere}, false, false},
		"one that was let in and has yet to be noted":   {machine("kubelet"), Namesake{Node: true, Address: here}, false, false},
		"one that was let in and has yet to speak":      {machine("kubelet"), Namesake{Node: true}, false, false},
		"one for which there is a Node already":         {machine(), Namesake{Node: true}, false, false},
		"one of which the cluster knows nothing":        {machine(), Namesake{}, false, false},
		"one whose predecessor is gone but for a rest":  {machine(), Namesake{Left: true}, true, false},
		"one with another's credentials":                {machine("kubelet"), Namesake{Node: true, Address: elsewhere}, false, true},
		"one with credentials, and a rest of the other": {machine("kubelet"), Namesake{Left: true}, false, true},
	} {
		former, problem := Former(h, test.machine, test.have)
		if former != test.former || (problem != nil) != test.empty {
			t.Errorf("%s: %v, %v", name, former, problem)
		}
		if problem != nil && (problem.Code != "machine-not-empty" || problem.Fix == "") {
			t.Errorf("%s: %+v", name, problem)
		}
	}
}
