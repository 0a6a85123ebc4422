package capacity

import (
	"fmt"
	"testing"

	"github.com/droverctl/drover/inventory"
)

// BenchmarkTiers judges 5,000 hosts, of which each fails a check of its own, and 150,000
// declared pods in 100 workloads.
func BenchmarkTiers(b *testing.B) {
	in := roomy(abc(), 4997, func(in *Inputs) {
		for i := range 100 {
			in.Cluster.Capacity.Workloads = append(in.Cluster.Capacity.Workloads, inventory.Workload{Name: fmt.Sprint("w", i), Replicas: 1500, CPU: 100, Memory: 256 << 20})
		}
		for name, f := range in.Hosts {
			f.Swap = 1
			in.Hosts[name] = f
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		checks := append(Tier0(in.Cluster), Tier1(in)...)
		if len(checks) < 5000 {
			b.Fatalf("%d checks", len(checks))
		}
	}
}
