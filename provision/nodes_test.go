package provision

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/plan"
)

// A run about one node knows nothing of the others' sessions, and must not have the
// whole of a BIG-IP's side entered anew for that: its router-id ends sessions.
func TestByHandForOneNewNode(t *testing.T) {
	host := func(name, at string) inventory.Host {
		return inventory.Host{Name: name, Address: netip.MustParseAddr(at)}
	}
	c := &inventory.Cluster{
		Name: "lab", PodCIDR: netip.MustParsePrefix("10.100.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"),
		KubeMasters: []inventory.Host{host("m1", "10.90.0.11")}, KubeNodes: []inventory.Host{host("n1", "10.90.0.21"), host("n2", "10.90.0.22")},
		BigIPs: []inventory.BigIP{{Name: "f5-a", ASNumber: 64512, Manage: inventory.ManageManual, PeerAddress: netip.MustParseAddr("10.90.0.5")}},
	}
	p := plan.Plan{Changes: []plan.Change{{Item: plan.Item{ID: "n2/bgp:f5-a"}, Action: plan.Create}}}
	s := begin(c, Options{Nodes: NodeTask{Verb: NodeAdd, Names: []string{"n2"}}})
	got := s.byHand(p, nil)
	if len(got) != 1 || !slices.Equal(got[0].Missing, []string{"n2"}) {
		t.Fatalf("%+v", got)
	}
	text := strings.Join(got[0].Enter, "\n")
	if strings.Contains(text, "router-id") || strings.Contains(text, "10.90.0.21") || !strings.Contains(text, "neighbor 10.90.0.22 peer-group lab") {
		t.Errorf("it has this entered:\n%s", text)
	}
	s = begin(c, Options{Nodes: NodeTask{Verb: NodeDrain, Names: []string{"n2"}}})
	if got := s.byHand(p, nil); got != nil {
		t.Errorf("a drain has this entered: %+v", got)
	}
}

func TestWhomATaskConcerns(t *testing.T) {
	c := &inventory.Cluster{
		KubeMasters: []inventory.Host{{Name: "m1"}}, KubeNodes: []inventory.Host{{Name: "n1"}, {Name: "n2"}},
		BigIPs: []inventory.BigIP{{Name: "f5-a"}},
	}
	for verb, want := range map[NodeVerb]string{
		"": "m1 n1 n2 f5-a", NodePrune: "m1 n1 n2 f5-a", NodeAdd: "m1 n2 f5-a", NodeReplace: "m1 n2 f5-a", MasterReplace: "m1 n1 n2 f5-a", NodeRemove: "m1 n2 f5-a", NodeDrain: "m1", NodeCordon: "m1", NodeUncordon: "m1",
	} {
		var got []string
		for _, name := range []string{"m1", "n1", "n2", "f5-a"} {
			if (NodeTask{Verb: verb, Names: []string{"n2"}}).Concerns(c, name) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", verb, got, want)
		}
	}
}

// Who is to go is on no list any more, named by the inventory or not; a drain takes
// nobody off one.
func TestWhoIsToGoIsNotKept(t *testing.T) {
	f5 := inventory.BigIP{Name: "f5-a", ASNumber: 64512}
	gone := cluster.Member{Name: "n2", Address: netip.MustParseAddr("10.90.0.22")}
	for verb, want := range map[NodeVerb]int{NodeRemove: 1, NodePrune: 1, NodeDrain: 2, NodeReplace: 2, "": 2} {
		task := NodeTask{Verb: verb, Names: []string{"n2"}}
		named := &inventory.Cluster{KubeNodes: []inventory.Host{{Name: "n1", Address: netip.MustParseAddr("10.90.0.21")}, {Name: gone.Name, Address: gone.Address}}}
		if got := len(bgp.New(begin(named, Options{Nodes: task}).remaining(), f5).Neighbors); got != want {
			t.Errorf("%s, named: %d neighbors", verb, got)
		}
		unnamed := &inventory.Cluster{KubeNodes: named.KubeNodes[:1]}
		kept := desired.Kept{Members: task.staying([]cluster.Member{gone})}
		if got := len(kept.Peering(unnamed, f5).Neighbors); got != want {
			t.Errorf("%s, not named: %d neighbors", verb, got)
		}
	}
}

// Nothing has to be well on a host that is to go, but on one that takes another's place.
func TestWhoIsToGoNeedsNoPreflight(t *testing.T) {
	s := begin(&inventory.Cluster{KubeNodes: []inventory.Host{{Name: "n1"}, {Name: "n2"}}}, Options{})
	s.leaving = []removal.Node{{Name: "n2"}}
	p := plan.Plan{Changes: []plan.Change{
		{Item: plan.Item{ID: "n1/file:/x"}, Action: plan.Create}, {Item: plan.Item{ID: "n2/reset:drover"}, Action: plan.Delete},
	}}
	if got := s.touched(p); !got["n1"] || got["n2"] {
		t.Errorf("%v", got)
	}
	s.leaving = []removal.Node{{Name: "n2", Former: &removal.Former{}}}
	if got := s.touched(p); !got["n2"] {
		t.Errorf("who takes a place: %v", got)
	}
}
