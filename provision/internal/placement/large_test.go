package placement

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// The largest cluster there may be is placed in well under a second and 300 MB, and
// each of its failure domains lost in ten seconds on two processors: processor time
// is what is measured, for who else wants the processors is not this test's business.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what takes seconds")
	}
	nodes, workloads := large()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := processorTime(t)
	p := Place(nodes, workloads)
	placed := processorTime(t) - began
	runtime.ReadMemStats(&after)
	taken := (after.TotalAlloc - before.TotalAlloc) >> 20
	began = processorTime(t)
	losses := p.EachDomain()
	lost := processorTime(t) - began
	t.Logf("placed in %s and %d MiB, %d domains lost in %s", placed, taken, len(losses), lost)
	// The race detector makes it ten times slower.
	if taken > 150 || placed > 20*time.Second || lost > 200*time.Second {
		t.Error("that is too much")
	}
	all := p.claim(p.runs, Whole)
	for _, l := range losses {
		if l.Result.Placed > all {
			t.Errorf("without %v more is placed: %d, not %d", l.Domains, l.Result.Placed, all)
		}
	}
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
