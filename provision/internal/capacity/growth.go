package capacity

import (
	"cmp"
	"math"
	"slices"

	"github.com/droverctl/drover/inventory"
)

// Growth is how many nodes can be added until something runs out that nodes use up.
type Growth struct {
	Like   string  `json:"like"` // the host that they are like
	Limits []Limit `json:"limits"`
	First  []int   `json:"first"` // which of the limits are met first
}

// Limit is how many nodes a check bears.
type Limit struct {
	Check   string `json:"check"`
	Subject string `json:"subject,omitempty"` // the BIG-IP
	Nodes   int    `json:"nodes"`             // that can be added; with none to go, what it measures is now
	// Never says that nodes do not use it up, as far as Kubernetes is tested.
	Never bool `json:"never,omitempty"`
	Over  bool `json:"over,omitempty"` // it has run out already
	// What one more makes of it; what is now where nodes do not use it up.
	Status    Status `json:"status"`
	Measured  string `json:"measured"`
	Threshold string `json:"threshold"`
}

// bound is a check that nodes bring nearer to its threshold.
type bound struct {
	id   string
	at   Status // from which on it has run out
	make func(Inputs) []Check
}

func bounds() []bound {
	of := func(f func(*inventory.Cluster) []Check) func(Inputs) []Check {
		return func(in Inputs) []Check { return f(in.Cluster) }
	}
	return []bound{
		{"pod-blocks", Fail, of(podBlocks)},
		{"service-cidr", Fail, of(serviceCIDR)},
		{"master-cpu", Warn, masterCPU},
		{"master-memory", Warn, masterMemory},
		{"mesh-size", Fail, of(meshSize)},
		{"bigip-sessions", Fail, of(bigipSessions)},
		{"bigip-routes", Fail, of(bigipRoutes)},
		{"cluster-hosts", Warn, of(clusterSize)},
	}
}

// Grow finds for each check of what nodes use up how many more of them it bears, by making
// the check with them. They are like a kube-node that there is: like, or the first that any
// pod may be on when that is "" or has gone. Without a kube-node there is no growth.
func Grow(in Inputs, like string) *Growth {
	nodes := in.Cluster.KubeNodes
	if !slices.ContainsFunc(in.Cluster.Hosts(), func(h inventory.Host) bool { return h.Name == like }) {
		like = ""
	}
	if like == "" && len(nodes) > 0 {
		like = nodes[max(0, slices.IndexFunc(nodes, func(h inventory.Host) bool { return !closed(h) }))].Name
	}
	i := slices.IndexFunc(nodes, func(h inventory.Host) bool { return h.Name == like })
	if i < 0 {
		return nil
	}
	most := max(1, 5001-len(in.Cluster.Hosts()))
	all := append(slices.Clip(nodes), slices.Repeat([]inventory.Host{nodes[i]}, most)...)
	out := &Growth{Like: like}
	with := func(b bound, n int) []Check {
		c := *in.Cluster
		c.KubeNodes = all[:len(nodes)+n]
		grown := in
		grown.Cluster = &c
		return slices.DeleteFunc(b.make(grown), func(c Check) bool { return c.ID != b.id })
	}
	for _, b := range bounds() {
		for _, now := range subjects(with(b, 0), b.at) {
			// Of masters the one counts that is short first.
			at := func(n int) Check { return worstOf(with(b, n), now.Subject) }
			out.Limits = append(out.Limits, limit(b, most, now.Subject, at))
		}
	}
	fewest := math.MaxInt
	for _, l := range out.Limits {
		if !l.Never {
			fewest = min(fewest, l.Nodes)
		}
	}
	out.First = []int{}
	for i, l := range out.Limits {
		if !l.Never && l.Nodes == fewest {
			out.First = append(out.First, i)
		}
	}
	return out
}

// subjects are the checks that are each a limit of their own: those of BIG-IPs, not those
// of single masters.
func subjects(checks []Check, at Status) []Check {
	if at == Warn && len(checks) > 0 {
		return []Check{{ID: checks[0].ID}}
	}
	return checks
}

func worstOf(checks []Check, subject string) Check {
	rank := map[Status]int{Pass: 0, Warn: 1, Fail: 2}
	return slices.MaxFunc(slices.DeleteFunc(checks, func(c Check) bool { return subject != "" && c.Subject != subject }), func(a, b Check) int {
		return cmp.Compare(rank[a.Status], rank[b.Status])
	})
}

// limit searches for the most nodes that a check bears; each more makes it no better.
func limit(b bound, most int, subject string, at func(n int) Check) Limit {
	over := func(n int) bool { s := at(n).Status; return s == Fail || s == b.at }
	good, bad := 0, 1 // of the nodes to add, a number that it bears and one that it does not
	if over(0) {
		good, bad = -1, 0
	}
	for bad > 0 && !over(bad) {
		if good = bad; good == most {
			last := at(most)
			return Limit{Check: b.id, Subject: subject, Nodes: most, Never: true, Status: last.Status, Measured: last.Measured, Threshold: last.Threshold}
		}
		bad = min(2*bad, most)
	}
	for bad-good > 1 {
		if middle := good + (bad-good)/2; over(middle) {
			bad = middle
		} else {
			good = middle
		}
	}
	first := at(bad)
	return Limit{Check: b.id, Subject: subject, Nodes: max(0, good), Over: good < 0, Status: first.Status, Measured: first.Measured, Threshold: first.Threshold}
}
