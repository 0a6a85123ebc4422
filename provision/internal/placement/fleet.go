package placement

import (
	"cmp"
	"strings"
)

// fleet is the nodes as numbers, in the order in which the scheduler goes through
// them: one of each failure domain in turn. Nothing of it changes.
type fleet struct {
	nodes   []Node
	index   map[string]int32
	kind    []int32            // of each node: which of kinds it is
	kinds   []*Node            // one of those whose labels, but for the host's name, and taints are the same
	domains map[string][]int32 // the nodes that fail together
	topos   map[string]*topology
}

// topology is what one label divides the nodes into.
type topology struct {
	value   []int32 // by node; -1 for those without the label
	values  int
	key     string
	perHost bool // the scheduler counts a node's own pods otherwise than a domain's
}

func newFleet(nodes []Node) *fleet {
	f := &fleet{index: make(map[string]int32, len(nodes)), topos: map[string]*topology{}}
	byDomain := map[string][]Node{}
	for i := range nodes {
		domain, _ := nodes[i].label(LabelDomain)
		byDomain[domain] = append(byDomain[domain], nodes[i])
	}
	names := sorted(byDomain)
	for row := 0; len(f.nodes) < len(nodes); row++ {
		for _, name := range names {
			if row < len(byDomain[name]) {
				f.nodes = append(f.nodes, byDomain[name][row])
			}
		}
	}
	kinds := map[string]int32{}
	f.domains = map[string][]int32{}
	for i := range f.nodes {
		n := &f.nodes[i]
		f.domains[n.domain()] = append(f.domains[n.domain()], int32(i))
		f.index[n.Name] = int32(i)
		key := likeness(n)
		kind, known := kinds[key]
		if !known {
			kind = int32(len(f.kinds))
			kinds[key], f.kinds = kind, append(f.kinds, n)
		}
		f.kind = append(f.kind, kind)
	}
	return f
}

// likeness is the same for nodes that admit the same pods, but for those that ask
// for a host by its name.
func likeness(n *Node) string {
	var b strings.Builder
	add := func(parts ...string) {
		for _, p := range parts {
			b.WriteString(p)
			b.WriteByte(0)
		}
	}
	for _, key := range sorted(n.Labels) {
		if key != LabelHost {
			add(key, n.Labels[key])
		}
	}
	add("", n.Domain)
	for _, t := range n.taints() {
		add(t.Key, t.Value, string(t.Effect))
	}
	return b.String()
}

// topology of a label; each is made once.
func (f *fleet) topology(key string) *topology {
	if t := f.topos[key]; t != nil {
		return t
	}
	t := &topology{key: key, perHost: key == LabelHost, value: make([]int32, len(f.nodes))}
	seen := map[string]int32{}
	for i := range f.nodes {
		value, ok := f.nodes[i].label(key)
		if !ok {
			t.value[i] = -1
			continue
		}
		id, known := seen[value]
		if !known {
			id = int32(len(seen))
			seen[value] = id
		}
		t.value[i] = id
	}
	t.values = len(seen)
	f.topos[key] = t
	return t
}

// work is a workload with what the fleet makes of it.
type work struct {
	*Workload
	admits   []bool // by kind of node: its labels are asked for, its taints tolerated
	selects  []bool // by kind: its labels are asked for
	avoids   []int32
	avoiding bool   // some kind is better avoided
	host     string // the only one, if it is asked for by name
	hard     []rule
	soft     []rule
	ownRules bool
	// What the scheduler takes a pod for when it compares nodes: a pod that asks for
	// nothing is not for free.
	scored Resources
}

// rule is a Spread, or one of those the scheduler has for who has none.
type rule struct {
	*topology
	maxSkew, minDomains int
	honorTaints         bool
}

func (f *fleet) work(w *Workload) *work {
	out := &work{Workload: w, host: w.NodeSelector[LabelHost], ownRules: len(w.Spread) > 0, scored: w.Requests}
	if out.scored.CPU == 0 {
		out.scored.CPU = 100
	}
	if out.scored.Memory == 0 {
		out.scored.Memory = 200 << 20
	}
	anyHost := *w
	if out.host != "" {
		anyHost.NodeSelector = map[string]string{}
		for key, value := range w.NodeSelector {
			if key != LabelHost {
				anyHost.NodeSelector[key] = value
			}
		}
	}
	for _, n := range f.kinds {
		taints := n.taints()
		selected := anyHost.selects(n)
		avoid := int32(w.untolerated(taints, PreferNoSchedule))
		out.selects = append(out.selects, selected)
		out.admits = append(out.admits, selected && w.untolerated(taints, NoSchedule, NoExecute) == 0)
		out.avoids = append(out.avoids, avoid)
		out.avoiding = out.avoiding || avoid > 0
	}
	if !w.DaemonSet {
		f.rules(out)
	}
	return out
}

func (f *fleet) rules(w *work) {
	if len(w.Spread) == 0 { // the scheduler's own, for the pods of a controller
		w.soft = []rule{{topology: f.topology(LabelHost), maxSkew: 3}, {topology: f.topology(LabelDomain), maxSkew: 5}}
		return
	}
	for _, s := range w.Spread {
		r := rule{topology: f.topology(s.Over), maxSkew: cmp.Or(s.MaxSkew, 1), minDomains: s.MinDomains, honorTaints: s.HonorTaints}
		if s.Hard {
			w.hard = append(w.hard, r)
		} else {
			w.soft = append(w.soft, r)
		}
	}
}

// admitted reports whether a node may run the pods of a workload, if it has room.
func (f *fleet) admitted(w *work, n int32) bool {
	return w.admits[f.kind[n]] && f.named(w, n)
}

// selected reports whether a node has the labels a workload asks for.
func (f *fleet) selected(w *work, n int32) bool {
	return w.selects[f.kind[n]] && f.named(w, n)
}

func (f *fleet) named(w *work, n int32) bool {
	if w.host == "" {
		return true
	}
	name, _ := f.nodes[n].label(LabelHost)
	return name == w.host
}
