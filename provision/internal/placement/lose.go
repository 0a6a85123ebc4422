package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Loss is what is left without some failure domains.
type Loss struct {
	Domains []string `json:"domains"`
	// All says that each set of so many domains was tried. If not, those were that
	// hold the most of one resource or the most room for one workload, and those
	// that are worst alone.
	All    bool   `json:"all"`
	Result Result `json:"result"`
}

// Domains are the failure domains, sorted.
func (p *Placement) Domains() []string { return sorted(p.fleet.domains) }

// Remove is what becomes of all pods without some nodes: those that were there are
// placed again, in many orders, and the others stay where they are.
func (p *Placement) Remove(names ...string) (Result, error) {
	gone := make([]bool, len(p.fleet.nodes))
	for _, name := range names {
		n, known := p.fleet.index[name]
		if !known {
			return Result{}, fmt.Errorf("there is no node %s", name)
		}
		gone[n] = true
	}
	runs := p.without(gone, wholeBudget)
	return p.result(runs, p.lossy).located(runs[0]), nil
}

// Lose is Remove for all nodes of some failure domains. The result does not say
// where the pods are.
func (p *Placement) Lose(domains ...string) (Result, error) {
	for _, d := range domains {
		if p.fleet.domains[d] == nil {
			return Result{}, fmt.Errorf("there is no failure domain %s; there are %s", d, strings.Join(p.Domains(), ", "))
		}
	}
	return p.lose(domains, wholeBudget), nil
}

// EachDomain is the loss of each failure domain alone.
func (p *Placement) EachDomain() []Loss {
	var sets [][]string
	for _, d := range p.Domains() {
		sets = append(sets, []string{d})
	}
	return p.loseEach(sets)
}

// loseEach is the loss of each of some sets of domains, all at once.
func (p *Placement) loseEach(sets [][]string) []Loss {
	losses := make([]Loss, len(sets))
	atOnce(len(sets), func(i int) {
		losses[i] = Loss{sets[i], true, p.lose(sets[i], wholeBudget/len(sets))}
	})
	return losses
}

// WorstLoss is the loss of k failure domains that leaves the least.
func (p *Placement) WorstLoss(k int) Loss {
	const many = 256
	domains := p.Domains()
	k = min(k, len(domains))
	sets, all := [][]string{nil}, true
	for range k {
		if sets = grown(sets, domains, many); sets == nil {
			sets, all = p.likely(k), false
			break
		}
	}
	worst := slices.MinFunc(p.loseEach(sets), func(a, b Loss) int { return compareLeft(a.Result, b.Result) })
	worst.All = all
	return worst
}

// LikelyLoss is WorstLoss of those sets of domains that hold the most, of which there
// are few: for when each domain would take too long.
func (p *Placement) LikelyLoss(k int) Loss {
	k = min(k, len(p.fleet.domains))
	worst := slices.MinFunc(p.loseEach(p.largest(k, 4)), func(a, b Loss) int { return compareLeft(a.Result, b.Result) })
	worst.All = k == 0
	return worst
}

// Losses is in how many ways one failure domain's pods would have to be placed again, by
// all pods: what EachDomain costs.
func (p *Placement) Losses() int { return len(p.fleet.domains) * p.wanted }

// grown are the sets with one more, later domain; nil when they are too many.
func grown(sets [][]string, domains []string, many int) (out [][]string) {
	for _, set := range sets {
		for _, d := range domains {
			if len(set) == 0 || d > set[len(set)-1] {
				out = append(out, append(slices.Clip(set), d))
			}
		}
		if len(out) > many {
			return nil
		}
	}
	return out
}

// likely are sets of k domains that may well be the worst.
func (p *Placement) likely(k int) [][]string {
	sets := p.largest(k, 32)
	alone := p.EachDomain()
	slices.SortStableFunc(alone, func(a, b Loss) int { return compareLeft(a.Result, b.Result) })
	rank := map[string]int64{}
	for i, l := range alone {
		rank[l.Domains[0]] = int64(-i)
	}
	return p.top(sets, k, func(domain string) int64 { return rank[domain] })
}

// top adds the set of the k domains of the highest value, unless it is there.
func (p *Placement) top(sets [][]string, k int, value func(domain string) int64) [][]string {
	domains := p.Domains()
	slices.SortStableFunc(domains, func(a, b string) int { return cmp.Compare(value(b), value(a)) })
	set := slices.Clone(domains[:k])
	slices.Sort(set)
	if slices.ContainsFunc(sets, func(s []string) bool { return slices.Equal(s, set) }) {
		return sets
	}
	return append(sets, set)
}

// largest are the sets of k domains that hold the most of one resource, or the most room
// for one of the first few workloads.
func (p *Placement) largest(k, workloads int) (sets [][]string) {
	of := func(value func(n int32) int64) {
		sums := map[string]int64{}
		for domain, nodes := range p.fleet.domains {
			for _, n := range nodes {
				sums[domain] += value(n)
			}
		}
		sets = p.top(sets, k, func(domain string) int64 { return sums[domain] })
	}
	s := newState(p.fleet, p.works)
	used := func(n int32) bool {
		return slices.ContainsFunc(p.works, func(w *work) bool { return !w.DaemonSet && s.admitted(w, n) })
	}
	for _, amount := range []func(l *load) int64{
		func(l *load) int64 { return l.maxCPU }, func(l *load) int64 { return l.maxMemory }, func(l *load) int64 { return l.maxPod },
	} {
		of(func(n int32) int64 {
			if !used(n) {
				return 0
			}
			return amount(&s.loads[n])
		})
	}
	for _, w := range p.works[:min(len(p.works), workloads)] {
		of(func(n int32) int64 {
			if w.DaemonSet || !s.admitted(w, n) {
				return 0
			}
			return s.loads[n].fits(w.Requests)
		})
	}
	return sets
}

// compareLeft compares what is placed, then what is free of the scarcest resource.
func compareLeft(a, b Result) int {
	return cmp.Or(cmp.Compare(a.Placed, b.Placed), cmp.Compare(a.scarcest(), b.scarcest()))
}

func (r Result) scarcest() float64 {
	return min(part(r.Free.CPU, r.Allocatable.CPU), part(r.Free.Memory, r.Allocatable.Memory), part(r.Free.Pods, r.Allocatable.Pods))
}

func (p *Placement) lose(domains []string, budget int) Result {
	if len(domains) == 0 {
		return p.result(p.runs, Whole)
	}
	gone := make([]bool, len(p.fleet.nodes))
	for _, d := range domains {
		for _, n := range p.fleet.domains[d] {
			gone[n] = true
		}
	}
	return p.result(p.without(gone, budget), p.lossy)
}

// without takes nodes away, and has what they held placed again.
func (p *Placement) without(gone []bool, budget int) []*run {
	runs, _ := search(p.situations(gone, budget), p.wanted, budget)
	return runs
}

// situations are the placements that may be, each without some nodes: the worst that
// were found, and those of the obvious orders, for what is worst after a loss need not
// have been before. Where there is time for many tries, what the same orders came to as
// well is among them, for chance before the loss counts after it.
func (p *Placement) situations(gone []bool, budget int) (from []situation) {
	add := func(s *state, of int) {
		s = s.clone()
		from = append(from, situation{s, s.without(gone), of})
	}
	found := p.found()
	for i, r := range found {
		add(r.state, i)
	}
	if budget/max(1, from[0].cost()) < maxTries {
		return from
	}
	for i, r := range found {
		for _, s := range r.others {
			add(s, i)
		}
	}
	return from
}

// found are the runs that were kept, each once.
func (p *Placement) found() []*run {
	all := slices.Clip(p.runs)
	for _, r := range p.plain {
		if !slices.Contains(p.runs, r) {
			all = append(all, r)
		}
	}
	return all
}
