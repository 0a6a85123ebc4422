package placement

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// large is a cluster of the size Kubernetes is tested to: nodes whose memory differs
// a little, as real ones' does, in 100 domains, and 150,000 pods of 500 workloads.
func large() ([]Node, []Workload) {
	r := rand.New(rand.NewPCG(7, 7))
	var nodes []Node
	for i := range 5000 {
		cores := int64(16 << (i % 2))
		nodes = append(nodes, Node{
			Name: fmt.Sprintf("node-%d", i), Domain: fmt.Sprintf("esx-%02d", i%100),
			Labels:      map[string]string{"tier": []string{"web", "data"}[i%2]},
			Allocatable: Resources{CPU: cores*1000 - 500, Memory: cores*4<<30 - r.Int64N(1<<20)<<10, Pods: 110},
		})
	}
	workloads := []Workload{{Name: "agent", DaemonSet: true, Requests: Resources{CPU: 100, Memory: 200 << 20}}}
	for i := range 500 {
		w := Workload{Name: fmt.Sprintf("w%d", i), Replicas: 300,
			Requests: Resources{CPU: 100 * (1 + r.Int64N(9)), Memory: 128 << 20 * (1 + r.Int64N(24))}}
		if i%5 == 0 {
			w.NodeSelector = map[string]string{"tier": "web"}
		}
		if i%10 == 1 {
			w.Spread = []Spread{{Over: LabelDomain, Hard: true, MaxSkew: 2}}
		}
		workloads = append(workloads, w)
	}
	return nodes, workloads
}

func BenchmarkPlace(b *testing.B) {
	nodes, workloads := large()
	b.ReportAllocs()
	for b.Loop() {
		r := Place(nodes, workloads).Result()
		b.ReportMetric(float64(r.Placed), "placed")
		if r.Placed < r.Wanted*8/10 {
			b.Fatalf("%d of %d placed: the benchmark is not about a cluster that is nearly full", r.Placed, r.Wanted)
		}
	}
}

func BenchmarkEachDomain(b *testing.B) {
	nodes, workloads := large()
	p := Place(nodes, workloads)
	b.ReportAllocs()
	for b.Loop() {
		if losses := p.EachDomain(); len(losses) != 100 {
			b.Fatal(len(losses))
		}
	}
}
