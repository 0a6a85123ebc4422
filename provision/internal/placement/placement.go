package placement

import "slices"

// Placement is workloads on nodes, as the scheduler may have put them there.
type Placement struct {
	fleet  *fleet
	works  []*work
	wanted int    // replicas
	ran    int    // of them, from the start
	runs   []*run // the worst that were found, the worst first
	plain  []*run // those of the obvious orders
	exact  bool   // no order, and no choice of the scheduler's, makes a difference
	alone  bool   // nor does it before a loss, as all but one workload run already
	lossy  Margin // of what is claimed after a loss
}

// Place puts workloads on nodes: DaemonSets first, then what runs already where it
// runs, then the rest in many orders. The names of nodes are unique.
func Place(nodes []Node, workloads []Workload) *Placement {
	p := &Placement{fleet: newFleet(nodes)}
	replicated, rules := 0, 0
	for i := range workloads {
		w := p.fleet.work(&workloads[i])
		p.works = append(p.works, w)
		if !w.DaemonSet {
			p.wanted += w.Replicas
			replicated++
			rules += len(w.hard)
		}
	}
	p.exact = replicated < 2 && rules < 2
	s := newState(p.fleet, p.works)
	p.lossy = s.afterLoss()
	pods := make([]int, len(p.works))
	pending := 0
	rules = 0
	for i, w := range p.works {
		if w.DaemonSet {
			s.daemons(i)
			continue
		}
		pods[i] = max(0, w.Replicas-s.jobs[i].placed)
		p.ran += s.jobs[i].placed
		if pods[i] > 0 {
			pending++
			rules += len(w.hard)
		}
	}
	p.alone = pending < 2 && rules < 2
	p.runs, p.plain = search([]situation{{s, pods, 0}}, p.wanted, wholeBudget)
	return p
}

// claim is how many replicas find a place in any order.
func (p *Placement) claim(runs []*run, m Margin) int {
	least := p.wanted
	for _, r := range runs {
		placed := r.placed
		if !p.exact {
			placed += r.slack - m.Of(placed-min(p.ran, r.from.settled())) // no order moves what runs
		}
		least = min(least, max(0, placed))
	}
	return least
}

// settled are the replicas that have a place already.
func (s situation) settled() (n int) {
	for i, w := range s.works {
		if !w.DaemonSet {
			n += s.jobs[i].placed
		}
	}
	return n
}

// Result is what Place found.
func (p *Placement) Result() Result {
	r := p.result(p.runs, Whole)
	if p.alone {
		r = p.result(p.runs, none)
		r.Exact = true
	}
	return r.located(p.runs[0])
}

func (p *Placement) result(runs []*run, m Margin) Result {
	worst := runs[0]
	r := Result{Wanted: p.wanted, Placed: p.claim(runs, m), Exact: p.exact}
	r.Free, r.Allocatable = worst.free()
	for _, i := range worst.order.works {
		r.Order = append(r.Order, p.works[i].Name)
	}
	r.Mixed = worst.order.style != inBlocks
	for i, w := range p.works {
		j := &worst.jobs[i]
		o := Outcome{Workload: w.Name, DaemonSet: w.DaemonSet, Placed: j.placed, Missing: j.missing}
		if j.missing > 0 {
			o.Short, o.Why = worst.why(i)
		}
		r.Workloads = append(r.Workloads, o)
	}
	return r
}

// located says where the pods are, which takes as long as there are pods.
func (r Result) located(worst *run) Result {
	for i := range r.Workloads {
		r.Workloads[i].On = worst.byNode(i)
	}
	return r
}

// HowManyMore is how many pods of a workload would find a place after all others, in
// any order of those, and what keeps the next one out. The workload may be one that
// was placed; its Replicas and what runs of it are not looked at.
func (p *Placement) HowManyMore(w Workload) (pods int, short Shortage, why string) {
	w.Running = nil
	at := slices.IndexFunc(p.works, func(o *work) bool { return o.Name == w.Name })
	pods = -1
	exact, margin := p.exact && (at >= 0 || p.wanted == 0), p.lossy
	for _, r := range p.runs {
		s := r.clone()
		i := at
		if at < 0 {
			i = len(s.works)
			s.works, s.jobs = append(slices.Clip(s.works), p.fleet.work(&w)), append(s.jobs, job{})
		}
		exact, margin = exact && len(s.works[i].hard) < 2, max(margin, s.afterLoss())
		room := s.more(i, s.roomFor(s.works[i], unlimited))
		if pods < 0 || room < pods {
			pods = room
			s.schedule(i, room+1)
			short, why = s.why(i)
		}
	}
	if !exact {
		pods -= margin.Of(pods)
	}
	return pods, short, why
}

// More is how many more pods of each workload would find a place after all others, in
// the order they were given: of each alone. Of a DaemonSet it is none.
func (p *Placement) More() []int {
	out := make([]int, len(p.works))
	for i, w := range p.works {
		if w.DaemonSet {
			continue
		}
		least := -1
		for _, r := range p.runs {
			if room := r.more(i, r.roomFor(w, unlimited)); least < 0 || room < least {
				least = room
			}
		}
		if !p.exact || len(w.hard) > 1 {
			least -= p.lossy.Of(least)
		}
		out[i] = least
	}
	return out
}

const unlimited = 1 << 40
