package removal

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

func inputs(nodes ...Node) Inputs {
	return Inputs{
		Nodes: nodes, Services: netip.MustParsePrefix("10.101.0.0/16"),
		Readable: []inventory.BigIP{{Name: "f5-a"}, {Name: "f5-b"}},
		Host:     func(string) host.Reader { return nil }, Wiped: func(context.Context, string) error { return nil },
	}
}

// The order in which nobody notices, whatever the order things are given in.
func TestOrder(t *testing.T) {
	n := Node{Name: "n2", Address: netip.MustParseAddr("10.90.0.22"), Reached: true}
	forgotten := plan.ID("f5-a/bgp:neighbors")
	s := Of(inputs(n), []plan.ID{forgotten})
	items := []plan.Item{{ID: forgotten, Needs: s.Drained}}
	have := map[plan.ID]plan.State{forgotten: nil}
	for _, r := range slices.Backward(s.Resources) {
		items = append(items, r.Item())
		have[r.Item().ID] = plan.State{"x": "y"}
	}
	p, err := plan.Diff("c", items, have)
	if err != nil {
		t.Fatal(err)
	}
	at := map[plan.ID]int{}
	for i, c := range p.Changes {
		at[c.ID] = i
	}
	order := []plan.ID{
		"cluster/cordon:n2", "cluster/exclude:n2", "f5-a/withdrawn:n2", "cluster/drain:n2", forgotten,
		"n2/reset:drover", "cluster/node:n2", "cluster/blocks:n2",
	}
	for i, id := range order[1:] {
		if _, there := at[id]; !there || at[order[i]] >= at[id] {
			t.Errorf("%s does not come after %s: %v", id, order[i], at)
		}
	}
	if at["f5-b/withdrawn:n2"] >= at["cluster/drain:n2"] || at["f5-b/withdrawn:n2"] == 0 {
		t.Error("pods go before the second BIG-IP is seen")
	}
	for _, id := range order[5:] {
		if c := p.Changes[at[id]]; c.Action != plan.Delete {
			t.Errorf("%s: %s", id, c.Action)
		}
	}
}

// A machine whose name another is to have is removed where it is, and its Node under an
// ID of its own: there is to be another.
func TestOrderBeforeAnother(t *testing.T) {
	n := Node{Name: "n2", Address: netip.MustParseAddr("10.90.0.22"), Reached: true, Former: &Former{UID: "u", Machine: "n2@10.90.0.22"}}
	s := Of(inputs(n), []plan.ID{"f5-a/bgp:neighbors"})
	var ids []plan.ID
	for _, r := range s.Resources {
		ids = append(ids, r.Item().ID)
	}
	for _, want := range []plan.ID{"n2@10.90.0.22/reset:drover", "cluster/former-node:n2", "cluster/blocks:n2", "cluster/drain:n2", "f5-a/withdrawn:n2"} {
		if !slices.Contains(ids, want) {
			t.Errorf("no %s: %v", want, ids)
		}
	}
	if got := s.Before["n2"]; !slices.Equal(got, []plan.ID{"cluster/former-node:n2", "cluster/blocks:n2"}) {
		t.Errorf("before another: %v", got)
	}
	if n.same(kube.NodeUse{Exists: true, UID: "another"}) || !n.same(kube.NodeUse{Exists: true, UID: "u"}) {
		t.Error("another's Node is taken for the one to go")
	}
	n.Former.Machine = ""
	n.Reached = false
	for _, r := range Of(inputs(n), nil).Resources {
		if id := r.Item().ID; id.What() == "reset:drover" {
			t.Errorf("it resets who takes the place: %s", id)
		}
	}
}

// Of a host that cannot be reached nothing is asked, and of one without an address no
// route is known.
func TestUnreachable(t *testing.T) {
	for _, r := range Of(inputs(Node{Name: "n2"}), nil).Resources {
		if id := r.Item().ID; id.Host() != plan.ClusterHost {
			t.Errorf("it has to do with %s", id)
		}
	}
}

func TestWithdrawnIsSeen(t *testing.T) {
	n := Node{Name: "n2", Address: netip.MustParseAddr("10.90.0.22")}
	step := inputs(n).withdrawn(n, inventory.BigIP{Name: "f5-a"})
	for text, want := range map[string]string{
		"": "none by way of it",
		"B       10.101.0.0/16 [200/0] via 10.90.0.21, eth0, 00:00:09\n":                                                               "none by way of it",
		"B       10.101.0.0/16 [200/0] via 10.90.0.21, eth0, 00:00:09\n                      [200/0] via 10.90.0.22, eth0, 00:00:09\n": "by way of it still: 10.101.0.0/16",
		"B       10.101.3.4/32 [200/0] via 10.90.0.22, eth0, 00:00:09\n":                                                               "by way of it still: 10.101.3.4/32",
		"B       10.100.1.0/26 [200/0] via 10.90.0.22, eth0, 00:00:09\n":                                                               "none by way of it", // a block, which stays until the pods have gone
	} {
		state, err := step.Look(context.Background(), resource.Seen{Hosts: map[string]facts.Snapshot{"f5-a": {Texts: map[string]string{facts.Routes: text}}}})
		if err != nil || state["service routes"] != want {
			t.Errorf("%q: %v, %v", text, state, err)
		}
	}
	if _, err := step.Look(context.Background(), resource.Seen{Hosts: map[string]facts.Snapshot{"f5-a": {Texts: map[string]string{facts.Routes: "% Unknown command."}}}}); err == nil {
		t.Error("what cannot be read is taken for none")
	}
}
