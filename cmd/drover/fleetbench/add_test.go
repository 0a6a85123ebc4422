package fleetbench

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// addOne has one more node in the inventory, applies that, and holds drover to it
// that the others are only looked at, each with one command, who keeps the cluster's
// keys not excepted. That the run has the fleet's lock, and that there was one, is
// kept by the masters besides.
func addOne(tb testing.TB, f *fleettest.Fleet) took {
	tb.Helper()
	before := make([]string, len(f.Hosts))
	for n, h := range f.Hosts {
		before[n] = apartFromTheLock(h)
	}
	f.Add(1)
	f.Forget()
	t := must(tb, measured(tb, f.Command(drover, "apply", "--auto-approve"), ""), 0)
	for n, was := range before {
		h := f.Hosts[n]
		ops := slices.DeleteFunc(h.Machine.Ops(), func(op hosttest.Op) bool {
			return h.Master && (op.Argv[0] == "drover-lock" || op.Argv[0] == "drover-history")
		})
		if len(ops) > 1 {
			tb.Errorf("%s was asked to run %d commands", h.Name, len(ops))
		}
		for _, op := range ops {
			if !slices.Equal(op.Argv, []string{"sh", "-s"}) {
				tb.Errorf("%s was asked to run %q", h.Name, op.Argv)
			}
		}
		if apartFromTheLock(h) != was { // every start of a unit is in it
			tb.Errorf("%s was changed", h.Name)
		}
	}
	if added := f.Hosts[len(before)]; len(added.Machine.Ops()) < 10 {
		tb.Errorf("%s was hardly touched", added.Name)
	}
	return t
}

// apartFromTheLock is what a host holds without what it keeps of runs, and without
// its clock, which that moves.
func apartFromTheLock(h *fleettest.Host) string {
	s := h.Machine.State()
	s.Files = maps.Clone(s.Files)
	maps.DeleteFunc(s.Files, func(name string, _ hosttest.File) bool { return hosttest.OfLock(name) })
	s.Now = time.Time{}
	return s.Dump()
}

func TestAddingANodeOnlyLooksAtTheOthers(t *testing.T) {
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 5})
	addOne(t, f)
	must(t, measured(t, f.Command(drover, "plan"), ""), 0)
}

// BenchmarkAddNode adds a node to a fleet. What that node takes by itself is what
// an apply of a cluster of one master and one node takes after the cluster is there:
// measured on a small fleet to which one node is added.
func BenchmarkAddNode(b *testing.B) {
	alone := settled(b, fleettest.Config{Masters: 1, Nodes: 1, Latency: latency})
	f := settled(b, fleettest.Config{Masters: 3, Nodes: size(1000) - 3, Latency: latency})
	b.ResetTimer()
	for range b.N {
		noop := quickest(func() took { return must(b, measured(b, f.Command(drover, "plan"), ""), 0) })
		own := quickest(func() took { return addOne(b, alone) })
		add := quickest(func() took { return addOne(b, f) })
		b.Logf("plan %s; the node alone %s; adding it %s", noop, own, add)
		b.ReportMetric(0, "ns/op")
		figure(b, (add.Wall-own.Wall).Seconds()/noop.Wall.Seconds(), "x-plan", 1.3)
		b.ReportMetric(add.Wall.Round(time.Millisecond).Seconds(), "s")
		b.ReportMetric(own.Wall.Seconds(), "s-alone")
	}
}
