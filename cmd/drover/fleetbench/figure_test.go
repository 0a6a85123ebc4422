package fleetbench

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// figure reports what was measured beside what it may be, and fails when it is more.
func figure(b *testing.B, have float64, unit string, most float64) {
	b.Helper()
	b.ReportMetric(have, unit)
	b.Logf("%10.2f %s, of at most %g", have, unit, most)
	if have > most {
		b.Errorf("%.2f %s: more than %g", have, unit, most)
	}
}

// besides runs the floor and what is measured beside it in turns, so that whatever
// else the machine does disturbs both, and returns the quickest of each. Meanwhile
// the fleet collects no garbage: real hosts would not do it on drover's processors.
func besides(floor, other func() took) (took, took) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	least, best := floor(), other()
	for range 2 {
		if t := floor(); t.Wall < least.Wall {
			least = t
		}
		if t := other(); t.Wall < best.Wall {
			best = t
		}
	}
	return least, best
}
