package placement

import (
	"cmp"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// What one question may cost: this many nodes are compared for a pod, at most; the
// obvious orders are tried in any case.
const (
	wholeBudget = 8_000_000
	maxTries    = 400
	kept        = 4 // of what was tried, the worst
)

// situation is a state and the pods, beside its workloads, that are to be submitted.
type situation struct {
	*state
	pods []int
}

// run is what became of one order.
type run struct {
	*state
	order  order
	placed int // replicas: no pods of DaemonSets
	room   int // when all were placed: for how many more of each workload, at least; counted up to the margin
}

// worse puts the run first that leaves more pods out or, where none are left out,
// has less room for more.
func worse(a, b *run) int {
	return cmp.Or(cmp.Compare(a.placed, b.placed), cmp.Compare(a.room, b.room))
}

// search submits the pods of one or another of the situations in many orders, and
// returns the worst that happened. With one workload there is one order.
func search(from []situation, wanted, budget int) []*run {
	_, whole := from[0].free()
	tries := obvious(from[0].works, whole)
	if len(tries[0].works) < 2 {
		tries = slices.Repeat(tries[:1], len(from))
	}
	runs := make([]*run, len(tries))
	atOnce(len(tries), func(i int) {
		s := from[i%len(from)]
		runs[i] = submit(s.clone(), tries[i], s.pods, margin(wanted))
	})
	slices.SortStableFunc(runs, worse)
	runs = runs[:min(len(runs), kept)]
	if len(tries[0].works) < 2 {
		return runs
	}
	dice := rand.New(rand.NewPCG(1, 2)) // the same answer each time
	for range min(maxTries, budget/max(1, from[0].cost())-len(tries)) {
		s := from[dice.IntN(len(from))]
		r := submit(s.clone(), runs[0].order.near(dice), s.pods, margin(wanted))
		at, _ := slices.BinarySearchFunc(runs, r, worse)
		runs = slices.Insert(runs, at, r)[:len(runs)]
	}
	return runs
}

// atOnce does n things on all processors.
func atOnce(n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}

// cost of submitting the pods, in nodes compared.
func (s situation) cost() (sum int) {
	nodes := len(s.order)
	for _, n := range s.pods {
		sum += (n + batch(nodes) - 1) / batch(nodes) * compared(nodes)
	}
	return sum
}

func submit(s *state, o order, pods []int, enough int) *run {
	for _, t := range o.turns(pods, batch(len(s.order))) {
		s.schedule(t.work, t.pods)
	}
	r := &run{state: s, order: o}
	missing := 0
	for i := range s.jobs {
		if !s.works[i].DaemonSet {
			r.placed += s.jobs[i].placed
			missing += s.jobs[i].missing
		}
	}
	if missing == 0 {
		r.room = s.room(enough)
	}
	return r
}

// room is for how many more of each workload there is room, counted up to enough.
func (s *state) room(enough int) int {
	least := enough
	for i, w := range s.works {
		if least == 0 {
			break
		}
		if !w.DaemonSet && w.Replicas > 0 {
			least = min(least, s.more(i, least))
		}
	}
	return least
}
