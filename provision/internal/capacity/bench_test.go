package capacity

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/placement"
)

// largest is as large a cluster as Kubernetes is tested with: 5,000 hosts in 100 failure
// domains, of which each fails a check of its own, and 150,000 declared pods of 500
// workloads that fill it by four fifths.
func largest() Inputs {
	r := rand.New(rand.NewPCG(7, 7))
	return roomy(abc(), 4997, func(in *Inputs) {
		for i := range 500 {
			in.Cluster.Capacity.Workloads = append(in.Cluster.Capacity.Workloads, inventory.Workload{
				Name: fmt.Sprint("w", i), Replicas: 300, CPU: inventory.MilliCPU(100 * (1 + r.Int64N(6))), Memory: inventory.Bytes(128 << 20 * (1 + r.Int64N(20))),
			})
		}
		for i := range in.Cluster.KubeNodes {
			in.Cluster.KubeNodes[i].FailureDomain = fmt.Sprintf("esx-%02d", i%100)
		}
		in.Cluster.BigIPs = []inventory.BigIP{{Name: "f5-a", MaxPeers: 6000, MaxRoutes: 12000}}
		for name, f := range in.Hosts {
			f.Swap = 1
			in.Hosts[name] = f
		}
	})
}

// BenchmarkTiers judges all of it up to tier 1, from facts that were taken, and reports.
func BenchmarkTiers(b *testing.B) {
	in := largest()
	best := time.Hour
	b.ReportAllocs()
	for b.Loop() {
		began := processorTime(b)
		fits := Place(in)
		checks := append(Tier0Of(in), Tier1Of(in, fits)...)
		s, g := Summarize(in, fits), Grow(in, "")
		best = min(best, processorTime(b)-began)
		if len(checks) < 5000 || s.DeclaredFit.Placed != 150_000 || g == nil {
			b.Fatalf("%d checks, %+v", len(checks), s.DeclaredFit)
		}
	}
	measured(b, best.Seconds(), "s-of-CPU", 2)
	measured(b, float64(mostMemory(b))/1e6, "MB", 300)
}

// BenchmarkEachDomain supposes the loss of each failure domain in turn.
func BenchmarkEachDomain(b *testing.B) {
	in := largest()
	best := time.Hour
	for b.Loop() {
		began := time.Now()
		losses := placement.Place(in.nodes(open(in.Cluster), false), in.declared()).EachDomain()
		best = min(best, time.Since(began))
		if len(losses) != 100 {
			b.Fatal(len(losses))
		}
	}
	measured(b, best.Seconds(), "s", 10)
}

// measured reports what was measured beside what it may be, and fails when it is more.
func measured(b *testing.B, have float64, unit string, most float64) {
	b.Helper()
	b.ReportMetric(have, unit)
	b.Logf("%10.2f %s, of at most %g", have, unit, most)
	if have > most {
		b.Errorf("%.2f %s: more than %g", have, unit, most)
	}
}

// processorTime is what this process has used, on all processors: who else wants them is
// not this benchmark's business.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mostMemory is what this process has ever had of the system's.
func mostMemory(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Maxrss << 10
}
