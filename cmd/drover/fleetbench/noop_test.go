package fleetbench

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/fleettest"
)

// latency is what hosts of a fleet are away.
const latency = 5 * time.Millisecond

// size is how many hosts a benchmark simulates, unless somebody says otherwise.
func size(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("DROVER_FLEET")); err == nil {
		return n
	}
	return usual
}

// settled is a fleet that is as its inventory says, because drover made it so.
func settled(tb testing.TB, conf fleettest.Config) *fleettest.Fleet {
	tb.Helper()
	f := fleettest.New(tb, drover, conf)
	if conf.Masters == 2 {
		f.Settings = twoMasters
		f.Add(0)
	}
	t := must(tb, measured(tb, f.Command(drover, "apply", "--auto-approve"), ""), 0)
	tb.Logf("applied to %d bare hosts: %s", len(f.Hosts), t)
	f.Forget()
	return f
}

// must is what a command took that ended as it had to.
func must(tb testing.TB, t took, exit int) took {
	tb.Helper()
	if t.Exit != exit {
		tb.Fatalf("exit %d, want %d\n%s", t.Exit, exit, t.Out[max(0, len(t.Out)-4000):])
	}
	return t
}

// quickest is the quickest of three: what disturbed the others was not theirs.
func quickest(run func() took) took {
	best := run()
	for range 2 {
		if t := run(); t.Wall < best.Wall {
			best = t
		}
	}
	return best
}

// A plan or a check of a fleet on which there is nothing to do asks each host once, after
// connecting to it once, however many there are; what it asks of the API grows by
// nothing but the length of lists.
func TestNoopPlanAsksOnce(t *testing.T) {
	small := settled(t, fleettest.Config{Masters: 1, Nodes: 2, Latency: latency})
	large := settled(t, fleettest.Config{Masters: 1, Nodes: 20, Latency: latency})
	for _, verb := range []string{"plan", "check"} {
		t.Run(verb, func(t *testing.T) { asksOnce(t, verb, small, large) })
	}
}

func asksOnce(t *testing.T, verb string, fleets ...*fleettest.Fleet) {
	t.Helper()
	var requests [2]int64
	for i, f := range fleets {
		f.Forget()
		connections, trips, asked := f.Connections(), f.RoundTrips(), f.Requests()
		must(t, measured(t, f.Command(drover, verb), ""), 0)
		requests[i] = f.Requests() - asked
		now := f.RoundTrips()
		for n, h := range f.Hosts {
			if took := now[n] - trips[n]; n > 0 && took > 13 { // the master carries what is asked of the API besides
				t.Errorf("%s: %d round trips", h.Name, took)
			}
			if ops := h.Machine.Ops(); len(ops) != 1 {
				t.Errorf("%s was asked to run %d commands: %v", h.Name, len(ops), ops)
			}
			if n := f.Connections()[n] - connections[n]; n != 1 {
				t.Errorf("%s was connected to %d times", h.Name, n)
			}
		}
	}
	if requests[0] != requests[1] {
		t.Errorf("%d requests to the API for 3 hosts, %d for 21", requests[0], requests[1])
	}
}

// BenchmarkNoopPlan is a plan of a fleet on which there is nothing to do.
func BenchmarkNoopPlan(b *testing.B) {
	f := settled(b, fleettest.Config{Masters: 3, Nodes: size(1000) - 3, Latency: latency})
	b.ResetTimer()
	for range b.N {
		most := int64(0)
		bare, plan := besides(func() took { return must(b, measured(b, floorOf(b, f), "floor"), 0) }, func() took {
			before := f.RoundTrips()
			t := must(b, measured(b, f.Command(drover, "plan"), ""), 0)
			for n, trips := range f.RoundTrips() {
				if n >= 3 { // masters carry what is asked of the API besides
					most = max(most, trips-before[n])
				}
			}
			return t
		})
		b.Logf("floor %s; plan %s", bare, plan)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(plan.Wall.Seconds(), "s")
		figure(b, plan.Wall.Seconds()/bare.Wall.Seconds(), "x-floor", 2)
		figure(b, float64(plan.CPU.Microseconds())/1000/float64(len(f.Hosts)), "ms-CPU/host", 5)
		figure(b, float64(most), "round-trips/host", 13)
		figure(b, float64(plan.Peak>>20), "MB", 500)
	}
}

// BenchmarkLargePlan is a plan of five thousand hosts that are bare, so that there is
// all to do on each.
func BenchmarkLargePlan(b *testing.B) {
	f := fleettest.New(b, drover, fleettest.Config{Masters: 3, Nodes: size(5000) - 3, Latency: latency})
	b.ResetTimer()
	for range b.N {
		bare := must(b, measured(b, floorOf(b, f), "floor"), 0)
		plan := must(b, measured(b, f.Command(drover, "plan"), ""), 2)
		b.Logf("floor %s; plan %s", bare, plan)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(plan.Wall.Seconds(), "s")
		b.ReportMetric(float64(plan.Peak>>20), "MB")
		figure(b, plan.Wall.Seconds()/bare.Wall.Seconds(), "x-floor", 4)
		figure(b, float64(strings.Count(plan.Out, "\n")), "lines", 500)
	}
}
