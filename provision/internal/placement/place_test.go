package placement

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const gib = 1 << 30

// same are nodes of one size, in so many domains.
func same(count, domains int, r Resources) (nodes []Node) {
	for i := range count {
		nodes = append(nodes, Node{Name: fmt.Sprintf("n%d", i+1), Domain: string(rune('a' + i%domains)), Allocatable: r})
	}
	return nodes
}

// with changes a node.
func with(nodes []Node, at int, change func(*Node)) []Node {
	change(&nodes[at])
	return nodes
}

func web(replicas int, cpu, memory int64) Workload {
	return Workload{Name: "web", Replicas: replicas, Requests: Resources{CPU: cpu, Memory: memory}}
}

func spread(w Workload, rules ...Spread) []Workload {
	w.Spread = rules
	return []Workload{w}
}

// What one workload comes to is exact: the arithmetic is in the names.
func TestIdentical(t *testing.T) {
	big := Resources{4000, 16 * gib, 110}
	taint := Taint{"gpu", "yes", NoSchedule}
	for _, test := range []struct {
		name      string
		nodes     []Node
		workloads []Workload
		placed    int
		short     Shortage
		why       string
	}{
		{"3 × ⌊4000 / 900⌋ = 12 by CPU", same(3, 3, big), []Workload{web(20, 900, gib)}, 12, ShortCPU,
			"no node left has CPU for it: it asks for 900m, the largest free is 400m on n1"},
		{"3 × ⌊16 / 5⌋ = 9 by memory", same(3, 3, big), []Workload{web(20, 100, 5*gib)}, 9, ShortMemory,
			"no node left has memory for it: it asks for 5 GiB, the largest free is 1 GiB on n1"},
		{"3 × 110 pods that ask for nothing", same(3, 3, big), []Workload{web(400, 0, 0)}, 330, ShortPods,
			"none of the 3 nodes it may be on may have more pods"},
		{"3 × ⌊(4000 − 500) / 900⌋ = 9 beside a DaemonSet", same(3, 3, big),
			[]Workload{web(20, 900, gib), {Name: "agent", DaemonSet: true, Requests: Resources{CPU: 500}}}, 9, ShortCPU, ""},
		{"2 × 4 where a third is tainted", with(same(3, 3, big), 0, func(n *Node) { n.Taints = []Taint{taint} }), []Workload{web(20, 900, gib)}, 8, ShortCPU, ""},
		{"3 × 4 when that is tolerated", with(same(3, 3, big), 0, func(n *Node) { n.Taints = []Taint{taint} }),
			[]Workload{{Name: "web", Replicas: 20, Requests: Resources{CPU: 900}, Tolerations: []Toleration{{Key: "gpu", Value: "yes"}}}}, 12, ShortCPU, ""},
		{"2 × 4 where a third is cordoned", with(same(3, 3, big), 0, func(n *Node) { n.Cordoned = true }), []Workload{web(20, 900, gib)}, 8, ShortCPU, ""},
		{"2 × 4 where a third is not ready", with(same(3, 3, big), 0, func(n *Node) { n.NotReady = true }), []Workload{web(20, 900, gib)}, 8, ShortCPU, ""},
		{"1 × 4 with the label", with(same(3, 3, big), 0, func(n *Node) { n.Labels = map[string]string{"tier": "web"} }),
			[]Workload{{Name: "web", Replicas: 20, Requests: Resources{CPU: 900}, NodeSelector: map[string]string{"tier": "web"}}}, 4, ShortCPU, ""},
		{"1 × 4 on the host named", same(3, 3, big),
			[]Workload{{Name: "web", Replicas: 20, Requests: Resources{CPU: 900}, NodeSelector: map[string]string{LabelHost: "n2"}}}, 4, ShortCPU,
			"no node left has CPU for it: it asks for 900m, the largest free is 400m on n2"},
		{"0 where none has the label", same(3, 3, big),
			[]Workload{{Name: "web", Replicas: 2, NodeSelector: map[string]string{"tier": "web"}}}, 0, ShortNode, "none of the 3 nodes has the labels it asks for"},
		{"0 where all are tainted", with(same(1, 1, big), 0, func(n *Node) { n.Taints = []Taint{{"gpu", "", NoExecute}} }), []Workload{web(1, 1, 1)}, 0, ShortNode,
			"it tolerates the taints of none of the 1 node that have its labels"},
		{"0 on no node", nil, []Workload{web(1, 1, 1)}, 0, ShortNode, "there is no node"},
		{"3 × 4 where tainted is only worse", with(same(3, 3, big), 0, func(n *Node) { n.Taints = []Taint{{"old", "", PreferNoSchedule}} }),
			[]Workload{web(20, 900, gib)}, 12, ShortCPU, ""},
		{"1 of 4 cores, 1 of 16 GiB: not on one node",
			[]Node{{Name: "c", Allocatable: Resources{4000, gib / 2, 110}}, {Name: "m", Allocatable: Resources{100, 16 * gib, 110}}}, []Workload{web(1, 1000, gib)}, 0, ShortTogether,
			"no node left has both 1 of CPU and 1 GiB of memory: the largest free are 4 on c and 16 GiB on m"},
		{"2 + 2 + 1: the domain of one small node is full at 1, and skew 1 allows one more", with(same(3, 3, big), 2, func(n *Node) { n.Allocatable.CPU = 1000 }),
			spread(web(20, 900, gib), Spread{Over: LabelDomain, Hard: true}), 5, ShortSpread,
			"2 nodes left with room, but its topology spread allows none of them: rule 1, over topology.kubernetes.io/zone: c has 1 and can take no more, and none may have over 1 more than that"},
		{"4 + 4 + 1 with skew 3", with(same(3, 3, big), 2, func(n *Node) { n.Allocatable.CPU = 1000 }),
			spread(web(20, 900, gib), Spread{Over: LabelDomain, Hard: true, MaxSkew: 3}), 9, ShortCPU, ""},
		{"4 + 4 + 1 when the rule is soft", with(same(3, 3, big), 2, func(n *Node) { n.Allocatable.CPU = 1000 }),
			spread(web(20, 900, gib), Spread{Over: LabelDomain}), 9, ShortCPU, ""},
		{"1 + 1: a domain of tainted nodes only counts too", with(same(3, 3, big), 2, func(n *Node) { n.Taints = []Taint{taint} }),
			spread(web(20, 900, gib), Spread{Over: LabelDomain, Hard: true}), 2, ShortSpread, ""},
		{"4 + 4 when taints are honoured", with(same(3, 3, big), 2, func(n *Node) { n.Taints = []Taint{taint} }),
			spread(web(20, 900, gib), Spread{Over: LabelDomain, Hard: true, HonorTaints: true}), 8, ShortCPU, ""},
		{"1 + 1 in 2 domains of at least 3", same(2, 2, big), spread(web(20, 900, gib), Spread{Over: LabelDomain, Hard: true, MinDomains: 3}), 2, ShortSpread, ""},
		{"0 without the label to spread over", same(2, 2, big), spread(web(1, 900, gib), Spread{Over: "rack", Hard: true}), 0, ShortSpread,
			"2 nodes left with room, but its topology spread allows none of them: no node has the labels of all its rules"},
		{"2 × 4 beside what runs: 3 of them, on one node", same(2, 2, big), []Workload{{Name: "web", Replicas: 20, Requests: Resources{CPU: 900}, Running: map[string]int{"n1": 3}}}, 8, ShortCPU, ""},
	} {
		r := Place(test.nodes, test.workloads).Result()
		got := r.Workloads[0]
		if r.Placed != test.placed || !r.Exact || got.Placed != test.placed || got.Short != test.short || test.why != "" && got.Why != test.why {
			t.Errorf("%s: %d placed (%d), exact %t, short of %q: %s", test.name, r.Placed, got.Placed, r.Exact, got.Short, got.Why)
		}
		on := 0
		for _, pods := range got.On {
			on += pods
		}
		if on != got.Placed || got.Placed+got.Missing != test.workloads[0].Replicas || r.Fits() != (got.Missing == 0) {
			t.Errorf("%s: %d placed and %d missing of %d, %d of them somewhere, fits %t", test.name, got.Placed, got.Missing, test.workloads[0].Replicas, on, r.Fits())
		}
		if more, _, _ := Place(test.nodes, test.workloads[1:]).HowManyMore(test.workloads[0]); len(test.workloads[0].Running) == 0 && more != test.placed {
			t.Errorf("%s: %d more would fit", test.name, more)
		}
	}
}

// A DaemonSet has its pod on each node that it tolerates, cordoned ones included.
func TestDaemonSet(t *testing.T) {
	nodes := same(4, 2, Resources{1000, gib, 10})
	nodes[0].Cordoned = true
	nodes[1].Taints = []Taint{{"master", "", NoSchedule}}
	nodes[2].Allocatable.CPU = 100
	r := Place(nodes, []Workload{{Name: "agent", DaemonSet: true, Requests: Resources{CPU: 200}}}).Result()
	want := Outcome{Workload: "agent", DaemonSet: true, Placed: 2, Missing: 1, Short: ShortCPU, On: map[string]int{"n1": 1, "n4": 1},
		Why: "no node left has CPU for it: it asks for 200m, the largest free is 100m on n3"}
	if diff := cmp.Diff(want, r.Workloads[0]); diff != "" || r.Fits() {
		t.Errorf("fits %t: %s", r.Fits(), diff)
	}
}

// A mixed set that fits with room to spare is claimed whole; one that only just fits
// is not promised; and never is more claimed than asked for.
func TestMixed(t *testing.T) {
	nodes := same(10, 2, Resources{4000, 16 * gib, 110})
	set := func(a, b int) []Workload {
		return []Workload{{Name: "a", Replicas: a, Requests: Resources{CPU: 500, Memory: gib}}, {Name: "b", Replicas: b, Requests: Resources{CPU: 250, Memory: gib}}}
	}
	for _, test := range []struct {
		name         string
		a, b, placed int
	}{
		{"30 × 500 + 40 × 250 = 25 of 40 cores", 30, 40, 70},
		{"40 × 500 + 80 × 250 = 40 of 40 cores: 120 − 1 %", 40, 80, 118},
		{"80 × 500 + 80 × 250 = 60 of 40 cores: 80 of a, 1 % less", 80, 80, 79},
	} {
		r := Place(nodes, set(test.a, test.b)).Result()
		if r.Placed != test.placed || r.Exact || r.Wanted != test.a+test.b || r.Fits() != (r.Placed == r.Wanted) {
			t.Errorf("%s: %d placed, not %d", test.name, r.Placed, test.placed)
		}
	}
	r := Place(nodes, set(30, 40)).Result()
	if want := (Resources{40000, 160 * gib, 1100}); r.Allocatable != want {
		t.Errorf("allocatable %+v", r.Allocatable)
	}
	if want := (Resources{15000, 90 * gib, 1030}); r.Free != want {
		t.Errorf("free %+v", r.Free)
	}
}

func TestHowManyMore(t *testing.T) {
	p := Place(same(10, 2, Resources{4000, 16 * gib, 110}), []Workload{web(30, 1000, gib)})
	if pods, short, why := p.HowManyMore(web(0, 1000, gib)); pods != 10 || short != ShortCPU || !strings.Contains(why, "asks for 1, the largest free is 0") {
		t.Errorf("10 × 4 − 30 = 10 more of the same: %d, %s: %s", pods, short, why)
	}
	other := Workload{Name: "other", Requests: Resources{CPU: 100, Memory: gib}}
	if pods, short, _ := p.HowManyMore(other); pods != 97 || short != ShortCPU {
		t.Errorf("10 × 1000 / 100 − 3 %% of another, where pods of 1 CPU are on nodes of 4: %d, %s", pods, short)
	}
	other.Spread = []Spread{{Over: LabelDomain, Hard: true}, {Over: LabelHost, Hard: true}}
	if pods, _, _ := p.HowManyMore(other); pods != 97 {
		t.Errorf("as many under two rules that nothing is in the way of: %d", pods)
	}
	if again, _, _ := p.HowManyMore(web(0, 1000, gib)); again != 10 {
		t.Errorf("asking changes the answer: %d", again)
	}
}

// An eighth of the smallest node is not yet coarse, by CPU and by memory; nodes that a pod may
// not be on, and DaemonSets, are not looked at.
func TestCoarse(t *testing.T) {
	small := Node{Name: "small", Allocatable: Resources{1000, gib, 110}, Taints: []Taint{{Key: "master", Effect: NoSchedule}}}
	nodes := append(same(3, 1, Resources{8000, 16 * gib, 110}), small)
	agent := Workload{Name: "agent", DaemonSet: true, Requests: Resources{4000, gib, 0}}
	for _, test := range []struct {
		cpu, memory int64
		want        Margin
	}{
		{1000, 2 * gib, AfterLoss}, {1001, 2 * gib, AfterLossCoarse}, {1000, 2*gib + 1, AfterLossCoarse},
	} {
		if p := Place(nodes, []Workload{agent, web(2, test.cpu, test.memory)}); p.lossy != test.want {
			t.Errorf("%d and %d of 8000 and %d: %d %%", test.cpu, test.memory, 16*gib, p.lossy)
		}
	}
}

func TestSizes(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536 << 10: "1.5 MiB", 5 * gib: "5 GiB", 3 << 50: "3072 TiB", -gib: "-1 GiB"} {
		if got := Size(bytes); got != want {
			t.Errorf("%d is %s, not %s", bytes, got, want)
		}
	}
	for milli, want := range map[int64]string{0: "0", 250: "250m", 1000: "1", 1500: "1500m"} {
		if got := Cores(milli); got != want {
			t.Errorf("%d is %s, not %s", milli, got, want)
		}
	}
}
