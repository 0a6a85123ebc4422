package placement_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/internal/placement"
	"github.com/droverctl/drover/provision/internal/placement/schedtest"
)

// kind is a way to draw a set, and what is asked of the claim about it.
type kind struct {
	name   string
	draw   drawSet
	soaked int // sets when soaking, beside one otherwise
	gap    int // what the claim may be below the least that is placed, in percent of that
	// How often the scheduler gets the worst orders again before the gap is judged: the
	// claim is about the worst that can be, and which of equal nodes the scheduler takes
	// makes up to a tenth of a difference to what one order of coarse pods comes to.
	throws int
}

func kinds() []kind {
	return []kind{
		{name: "identical", draw: identicalSet, soaked: 30},
		{name: "ordinary", draw: ordinarySet, soaked: 30, gap: 5},
		{name: "coarse", draw: coarseSet, soaked: 10, gap: 10, throws: 3},
	}
}

// judged is a cluster, and what was placed there by the scheduler.
type judged struct {
	kind
	t         *testing.T
	server    *schedtest.Server
	nodes     []placement.Node
	workloads []placement.Workload
	lost      string // the node that is removed
	worst     float64
}

// What the model says is what the real scheduler does, before and after a node is
// removed: of identical pods exactly; of mixed ones never less in any of three orders,
// the worst that is known, that for the loss and a random one, and not much more in the
// worst of them: at most 5 % where no pod is larger than an eighth of the smallest node,
// and at most 10 % where they may be of any size.
func TestRealScheduler(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what needs a real kube-scheduler")
	}
	binaries, err := schedtest.Find()
	if err != nil {
		t.Skip(err)
	}
	server, err := schedtest.Start(t.TempDir(), binaries)
	t.Cleanup(server.Stop)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("DROVER_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DROVER_SEED=%d", seed)
	for number, k := range kinds() {
		sets, passed, gap := 1, 0, 0.0
		if os.Getenv("DROVER_SOAK") != "" {
			sets = k.soaked
		}
		for set := range sets {
			r := rand.New(rand.NewPCG(seed, uint64(len(kinds())*set+number)))
			nodes, workloads := k.draw(r)
			j := judged{kind: k, server: server, nodes: nodes, workloads: workloads, lost: "n1"}
			if t.Run(fmt.Sprintf("%s set %d of %d workloads", k.name, set, len(workloads)-1), func(t *testing.T) {
				j.t = t
				j.compare(r)
			}) {
				passed++
			}
			gap = max(gap, j.worst)
		}
		t.Logf("%s: %d of %d sets passed, the worst gap is %.1f %%", k.name, passed, sets, gap)
	}
}

func (j *judged) compare(r *rand.Rand) {
	p := placement.Place(append(slices.Clip(j.nodes), schedtest.Last()), j.workloads)
	said := p.Result()
	after, err := p.Remove(j.lost)
	if err != nil {
		j.t.Fatal(err)
	}
	worst, lossy := p.Orders(), p.LossOrders(j.lost)
	shuffled := func(names []string) {
		r.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
	}
	var before, then []int
	submit := func(order []string, again func([]string)) {
		b, a := j.submit(order, again)
		before, then = append(before, b), append(then, a)
	}
	submit(worst[0], shuffled)
	if !said.Exact {
		submit(lossy[0].Before, by(lossy[0].Again))
		mixed := slices.Clone(worst[0])
		shuffled(mixed)
		submit(mixed, shuffled)
	}
	for n := 0; !said.Exact && n < j.throws; n++ {
		switch o := lossy[n%len(lossy)]; {
		case far(said, before, j.gap):
			submit(worst[n%len(worst)], by(o.Again))
		case far(after, then, j.gap):
			submit(o.Before, by(o.Again))
		}
	}
	j.judge("all nodes", said, before)
	j.judge("without "+j.lost, after, then)
}

// by brings workloads' names in the order of others.
func by(order []string) func([]string) {
	return func(names []string) {
		slices.SortStableFunc(names, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	}
}

// far reports whether what was said is more than so many percent below the least that was
// placed.
func far(said placement.Result, placed []int, percent int) bool {
	least := slices.Min(placed)
	return (least-said.Placed)*100 > least*percent
}

// submit has the scheduler place pods in an order, and then without a node those that
// were there again, in the order that again brings them in; it says how many have a
// place.
func (j *judged) submit(order []string, again func([]string)) (before, after int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	must := func(err error) {
		j.t.Helper()
		if err != nil {
			j.t.Fatal(err)
		}
	}
	round, err := j.server.Begin(ctx, j.nodes, j.workloads)
	must(err)
	must(round.Submit(ctx, order))
	placed, err := round.Decided(ctx)
	must(err)
	before = j.replicas(placed)
	must(round.Lose(ctx, j.lost, again))
	placed, err = round.Decided(ctx)
	must(err)
	return before, j.replicas(placed)
}

func (j *judged) replicas(placed map[string]int) (sum int) {
	for _, w := range j.workloads {
		if !w.DaemonSet {
			sum += placed[w.Name]
		}
	}
	return sum
}

func (j *judged) judge(when string, said placement.Result, placed []int) {
	j.t.Logf("%s: of %d pods drover says %d, the scheduler placed %v", when, said.Wanted, said.Placed, placed)
	if least := slices.Min(placed); least > 0 {
		j.worst = max(j.worst, 100*float64(least-said.Placed)/float64(least))
	}
	switch {
	case said.Exact && slices.ContainsFunc(placed, func(n int) bool { return n != said.Placed }):
		j.t.Errorf("%s: not the same", when)
	case said.Placed > slices.Min(placed):
		j.t.Errorf("%s: drover claims more than is placed", when)
	case far(said, placed, j.gap):
		j.t.Errorf("%s: more than %d %% less than is placed", when, j.gap)
	}
	if j.t.Failed() {
		j.t.Logf("nodes %+v", j.nodes)
		j.t.Logf("workloads %+v", j.workloads)
	}
}
