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

// judged is a cluster, and what was placed there by the scheduler.
type judged struct {
	t         *testing.T
	server    *schedtest.Server
	nodes     []placement.Node
	workloads []placement.Workload
	lost      string // the node that is removed
}

// What the model says is what the real scheduler does, before and after a node is
// removed: of identical pods exactly, of mixed ones never less and at most 5 % more
// in the worst order.
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
	seed, sets := uint64(time.Now().UnixNano()), 2
	if s := os.Getenv("DROVER_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getenv("DROVER_SOAK") != "" {
		sets = 30
	}
	t.Logf("DROVER_SEED=%d", seed)
	for set := range sets {
		for kind, draw := range []func(*rand.Rand) ([]placement.Node, []placement.Workload){identicalSet, mixedSet} {
			r := rand.New(rand.NewPCG(seed, uint64(2*set+kind)))
			nodes, workloads := draw(r)
			t.Run(fmt.Sprintf("set %d of %d workloads", set, len(workloads)-1), func(t *testing.T) {
				j := judged{t, server, nodes, workloads, "n1"}
				j.compare(r)
			})
		}
	}
}

func (j judged) compare(r *rand.Rand) {
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
	// The claim is about the worst that can be, and which of equal nodes the scheduler
	// takes makes up to a tenth of a difference to what one order comes to: it gets the
	// worst orders more often, each time from another node on, before the gap is judged.
	for k := 0; !said.Exact && k < throws; k++ {
		switch o := lossy[k%len(lossy)]; {
		case far(said, before):
			submit(worst[k%len(worst)], by(o.Again))
		case far(after, then):
			submit(o.Before, by(o.Again))
		}
	}
	j.judge("all nodes", said, before)
	j.judge("without "+j.lost, after, then)
}

// throws are as many as one set in a thousand needs.
const throws = 12

// by brings workloads' names in the order of others.
func by(order []string) func([]string) {
	return func(names []string) {
		slices.SortStableFunc(names, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	}
}

// far reports whether the least that was placed is more than 5 % above what was said.
func far(said placement.Result, placed []int) bool {
	least := slices.Min(placed)
	return (least-said.Placed)*20 > least
}

// submit has the scheduler place pods in an order, and then without a node those that
// were there again, in the order that again brings them in; it says how many have a
// place.
func (j judged) submit(order []string, again func([]string)) (before, after int) {
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

func (j judged) replicas(placed map[string]int) (sum int) {
	for _, w := range j.workloads {
		if !w.DaemonSet {
			sum += placed[w.Name]
		}
	}
	return sum
}

func (j judged) judge(when string, said placement.Result, placed []int) {
	j.t.Logf("%s: of %d pods drover says %d, the scheduler placed %v", when, said.Wanted, said.Placed, placed)
	switch {
	case said.Exact && slices.ContainsFunc(placed, func(n int) bool { return n != said.Placed }):
		j.t.Errorf("%s: not the same", when)
	case said.Placed > slices.Min(placed):
		j.t.Errorf("%s: drover claims more than is placed", when)
	case far(said, placed):
		j.t.Errorf("%s: more than 5 %% less than is placed", when)
	}
	if j.t.Failed() {
		j.t.Logf("nodes %+v", j.nodes)
		j.t.Logf("workloads %+v", j.workloads)
	}
}
