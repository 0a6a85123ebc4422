package placement

import (
	"cmp"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// What one question may cost: this many nodes are compared for a pod, at most; some
// obvious orders are tried in any case.
const (
	wholeBudget = 16_000_000
	maxTries    = 400
	minTries    = 3
	kept        = 4  // of what was tried, the worst
	suspects    = 12 // among them may be those, once chance is taken out
	rolls       = 10
)

// situation is a state and the pods, beside its workloads, that are to be submitted.
type situation struct {
	*state
	pods []int
	of   int // the run that led to it: those of the same differ by chance
}

// run is what became of one order.
type run struct {
	*state
	from   situation
	order  order
	others []*state // what the same order came to as well
	placed int      // replicas: no pods of DaemonSets
	slack  int      // when all were placed: for how many more of each workload, at least; counted up to the widest margin
}

// worse puts the run first that leaves more pods out or, where none are left out,
// has less room for more.
func worse(a, b *run) int {
	return cmp.Or(cmp.Compare(a.placed, b.placed), cmp.Compare(a.slack, b.slack))
}

// search submits the pods of one or another of the situations in many orders, and
// returns the worst that happened, and what came of the obvious orders beside. With one
// workload there is one order.
func search(from []situation, wanted, budget int) (worst, plain []*run) {
	_, whole := from[0].free()
	tries := obvious(from[0].works, whole)
	single := len(tries[0].works) < 2
	affordable := budget / max(1, from[0].cost())
	if single {
		tries = slices.Repeat(tries[:1], len(from))
	} else if affordable < len(tries) {
		tries = tries[:max(minTries, affordable)]
	}
	runs := make([]*run, len(tries))
	atOnce(len(tries), func(i int) { runs[i] = from[i%len(from)].submit(tries[i], wanted) })
	if !single {
		plain = slices.Clone(runs)
	}
	slices.SortStableFunc(runs, worse)
	dice := rand.New(rand.NewPCG(1, 2)) // the same answer each time
	if left := affordable - len(tries); !single && left > 0 {
		doubted := min(suspects, left/4/rolls) // trying them again is at most a quarter of the work
		for range min(maxTries, left-doubted*rolls) {
			f := runs[0].from
			if dice.IntN(2) == 0 {
				f = from[dice.IntN(len(from))]
			}
			r := f.submit(runs[0].order.near(dice), wanted)
			at, _ := slices.BinarySearchFunc(runs, r, worse)
			runs = slices.Insert(runs, at, r)
			runs = runs[:min(len(runs), max(kept, doubted))]
		}
		if doubted > 0 {
			runs = runs[:min(len(runs), doubted)]
		}
		for i, r := range runs[:min(len(runs), doubted)] {
			runs[i] = r.typical(from, dice, wanted)
		}
		slices.SortStableFunc(runs, worse)
	}
	return runs[:min(len(runs), kept)], plain
}

// typical is the worst of a few outcomes of the same order, in situations that are like
// its own but for chance. The worst of all that were tried owes too much to chance, which
// may take the scheduler's choice among equal nodes either way.
func (r *run) typical(from []situation, dice *rand.Rand, wanted int) *run {
	var like []situation
	for _, f := range from {
		if f.of == r.from.of {
			like = append(like, f)
		}
	}
	var all []*run
	for k := range rolls {
		o := r.order
		o.dice = dice.Uint64()
		all = append(all, like[k%len(like)].submit(o, wanted))
	}
	worst := slices.MinFunc(all, worse)
	for _, o := range all {
		if o != worst {
			worst.others = append(worst.others, o.state)
		}
	}
	return worst
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

func (s situation) submit(o order, wanted int) *run {
	r := &run{state: s.clone(), from: s, order: o}
	r.dice ^= o.dice
	for _, t := range o.turns(s.pods, batch(len(s.order))) {
		r.schedule(t.work, t.pods)
	}
	missing := 0
	for i := range r.jobs {
		if !r.works[i].DaemonSet {
			r.placed += r.jobs[i].placed
			missing += r.jobs[i].missing
		}
	}
	if missing == 0 {
		r.slack = r.room(AfterLossCoarse.Of(wanted))
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
