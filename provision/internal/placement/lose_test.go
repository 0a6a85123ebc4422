package placement

import (
	"slices"
	"strings"
	"testing"
)

func TestLose(t *testing.T) {
	// a and d have two nodes, b and c one; all of the same size.
	nodes := same(6, 4, Resources{4000, 16 * gib, 110})
	nodes[5].Domain, nodes[3].Domain, nodes[4].Domain = "d", "d", "a"
	p := Place(nodes, []Workload{web(20, 1000, gib), {Name: "agent", DaemonSet: true}})
	for _, test := range []struct {
		name   string
		lost   []string
		placed int
	}{
		{"nothing: 6 × 4 ≥ 20", nil, 20},
		{"b: 5 × 4 ≥ 20", []string{"b"}, 20},
		{"a: 4 × 4 = 16 of 20", []string{"a"}, 16},
		{"a and d: 2 × 4 = 8", []string{"a", "d"}, 8},
		{"all", []string{"a", "b", "c", "d"}, 0},
	} {
		r, err := p.Lose(test.lost...)
		if err != nil || r.Placed != test.placed || r.Wanted != 20 || !r.Exact || r.Workloads[0].On != nil {
			t.Errorf("%s: %d placed, %v", test.name, r.Placed, err)
		}
	}
	if _, err := p.Lose("a", "x"); err == nil || !strings.Contains(err.Error(), "no failure domain x; there are a, b, c, d") {
		t.Errorf("an unknown domain: %v", err)
	}
	r, err := p.Remove("n1", "n2")
	if err != nil || r.Placed != 16 || r.Workloads[0].On["n1"]+r.Workloads[0].On["n2"] != 0 || r.Workloads[0].On["n3"] != 4 {
		t.Errorf("4 × 4 = 16 without two nodes: %+v, %v", r, err)
	}
	if agent := r.Workloads[1]; agent.Placed != 4 || agent.Missing != 0 {
		t.Errorf("a DaemonSet goes with the nodes: %+v", agent)
	}
	if _, err := p.Remove("n7"); err == nil || !strings.Contains(err.Error(), "no node n7") {
		t.Errorf("an unknown node: %v", err)
	}
	for i, l := range p.EachDomain() {
		want := []int{16, 20, 20, 16}[i]
		if !slices.Equal(l.Domains, p.Domains()[i:i+1]) || l.Result.Placed != want {
			t.Errorf("without %v: %d placed, not %d", l.Domains, l.Result.Placed, want)
		}
	}
	for k, want := range []int{20, 16, 8, 4, 0, 0} {
		if l := p.WorstLoss(k); l.Result.Placed != want || !l.All || len(l.Domains) != min(k, 4) {
			t.Errorf("the worst %d: %v with %d placed, not %d", k, l.Domains, l.Result.Placed, want)
		}
	}
}

// Without failure domains each node fails alone.
func TestLoseHost(t *testing.T) {
	nodes := same(3, 1, Resources{4000, 16 * gib, 110})
	for i := range nodes {
		nodes[i].Domain = ""
	}
	p := Place(nodes, []Workload{web(12, 1000, gib)})
	if l := p.WorstLoss(1); l.Result.Placed != 8 || !strings.HasPrefix(l.Domains[0], "host n") {
		t.Errorf("%+v", l)
	}
}

// A pod that a rule kept out finds a place when the domain that was in the way is lost.
func TestLoseWhatWasInTheWay(t *testing.T) {
	nodes := same(3, 3, Resources{4000, 16 * gib, 110})
	nodes[2].Allocatable.CPU = 900
	p := Place(nodes, spread(web(8, 900, gib), Spread{Over: LabelDomain, Hard: true}))
	if r := p.Result(); r.Placed != 5 {
		t.Fatalf("2 + 2 + 1 = 5: %d", r.Placed)
	}
	if r, _ := p.Lose("c"); r.Placed != 8 {
		t.Errorf("4 + 4 = 8 without the domain that is full at 1: %d", r.Placed)
	}
}

// Where not every set of domains can be tried, the worst is among those that are.
func TestWorstOfMany(t *testing.T) {
	nodes := same(40, 40, Resources{2000, 16 * gib, 110})
	for i := range nodes {
		nodes[i].Domain = "d" + string(rune('A'+i%26)) + string(rune('a'+i/26))
	}
	nodes[7].Allocatable.CPU, nodes[20].Allocatable.CPU, nodes[33].Allocatable.CPU = 8000, 6000, 9000
	p := Place(nodes, []Workload{web(97, 1000, gib)})
	l := p.WorstLoss(3)
	if want := []string{nodes[7].Domain, nodes[33].Domain, nodes[20].Domain}; l.All || l.Result.Placed != 37*2 || !slices.Equal(l.Domains, want) {
		t.Errorf("37 × 2 = 74 are left: %v with %d, all %t", l.Domains, l.Result.Placed, l.All)
	}
}
