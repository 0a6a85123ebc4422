package placement_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/droverctl/drover/provision/internal/placement"
)

// drawSet makes up nodes, and workloads for them.
type drawSet func(*rand.Rand) ([]placement.Node, []placement.Workload)

// randomNodes are a few random ones, of one to three sizes in one to four domains, with a
// tainted master and now and then a cordoned one.
func randomNodes(r *rand.Rand) []placement.Node {
	domains := 1 + r.IntN(4)
	sizes := make([]placement.Resources, 1+r.IntN(3))
	for i := range sizes {
		cores := 2 + r.Int64N(11)
		memory := cores * (2 + r.Int64N(5)) << 30
		sizes[i] = placement.Resources{CPU: cores*1000 - 80 - cores*10, Memory: memory - 330<<20 - memory/20, Pods: 110}
		if r.IntN(4) == 0 {
			sizes[i].Pods = 8 + r.Int64N(12)
		}
	}
	nodes := []placement.Node{{
		Name: "master", Domain: "d0", Allocatable: sizes[0], Taints: []placement.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: placement.NoSchedule}},
	}}
	for i := range 5 + r.IntN(12) {
		n := placement.Node{Name: fmt.Sprintf("n%d", i), Domain: fmt.Sprintf("d%d", i%domains), Allocatable: sizes[r.IntN(len(sizes))],
			Labels: map[string]string{"tier": []string{"web", "data"}[i%2]}}
		n.Cordoned = i == 3 && r.IntN(3) == 0
		if i == 2 && r.IntN(3) == 0 {
			n.Taints = []placement.Taint{{Key: "old", Value: "yes", Effect: placement.PreferNoSchedule}}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func randomDaemon(r *rand.Rand) placement.Workload {
	w := placement.Workload{Name: "agent", DaemonSet: true, Requests: placement.Resources{CPU: 50 * r.Int64N(4), Memory: 64 << 20 * r.Int64N(4)}}
	if r.IntN(2) == 0 {
		w.Tolerations = []placement.Toleration{{Key: "node-role.kubernetes.io/control-plane", Exists: true}}
	}
	return w
}

func randomWorkload(r *rand.Rand, name string) placement.Workload {
	w := placement.Workload{Name: name, Replicas: 1 + r.IntN(60),
		Requests: placement.Resources{CPU: 50 * (1 + r.Int64N(6)) << r.Int64N(4), Memory: 64 << 20 * (1 + r.Int64N(6)) << r.Int64N(4)}}
	switch r.IntN(8) {
	case 0:
		w.NodeSelector = map[string]string{"tier": "web"}
	case 1:
		w.Spread = []placement.Spread{{Over: placement.LabelDomain, Hard: true, MaxSkew: 1 + r.IntN(3)}}
	case 2:
		w.Spread = []placement.Spread{{Over: placement.LabelHost, Hard: true, MaxSkew: 1 + r.IntN(2), HonorTaints: r.IntN(2) == 0}}
	case 3:
		w.Spread = []placement.Spread{{Over: placement.LabelDomain, MaxSkew: 1}, {Over: placement.LabelHost, MaxSkew: 1}}
	case 4:
		w.Tolerations = []placement.Toleration{{Key: "node-role.kubernetes.io/control-plane", Exists: true, Effect: placement.NoSchedule}}
	}
	return w
}

// open sums what nodes that take everything have.
func open(nodes []placement.Node) (sum placement.Resources) {
	for _, n := range nodes {
		if !n.Cordoned && n.Name != "master" {
			sum.CPU += n.Allocatable.CPU
			sum.Memory += n.Allocatable.Memory
			sum.Pods += n.Allocatable.Pods
		}
	}
	return sum
}

// ordinarySet is a mixed set in which no pod asks for more than an eighth of the CPU or of
// the memory of the smallest node. That is what planning advises: with larger pods, of which
// only a few go on a node, the last part of each node is wasted or not as it comes, and no
// number says in advance what fits.
func ordinarySet(r *rand.Rand) ([]placement.Node, []placement.Workload) { return mixedSet(r, 8) }

// coarseSet is a mixed set whose pods may be as large as the smallest node, and larger: what is
// placed may differ by a tenth from one order, or one fall of the dice, to the other.
func coarseSet(r *rand.Rand) ([]placement.Node, []placement.Workload) { return mixedSet(r, 0) }

// mixedSet is workloads that together ask for 80 to 130 % of the scarcest resource, in
// so many pods that one is less than a hundredth, and no more than a test has time for.
// When parts is not 0, no pod asks for more than one of so many parts of the smallest node,
// and of those that find a place one is less than a hundredth, too.
func mixedSet(r *rand.Rand, parts int64) ([]placement.Node, []placement.Workload) {
	for {
		nodes, workloads := anySet(r, parts)
		pods := 0
		for _, w := range workloads {
			pods += w.Replicas
		}
		switch {
		case pods < 150 || pods > 400:
		case parts > 0 && placement.Place(nodes, workloads).Result().Placed < 100:
		default:
			return nodes, workloads
		}
	}
}

func anySet(r *rand.Rand, parts int64) ([]placement.Node, []placement.Workload) {
	nodes := randomNodes(r)
	workloads := []placement.Workload{}
	var asked placement.Resources
	hard := false
	for i := range 2 + r.IntN(5) {
		w := randomWorkload(r, fmt.Sprintf("w%d", i))
		w.Requests = small(w.Requests, nodes, parts)
		// One domain that is full stops a workload with a hard rule everywhere: whether
		// that comes early or late is up to the scheduler's dice when several compete, or
		// when the domains are hosts, and what is placed varies by a third.
		if len(w.Spread) == 1 && w.Spread[0].Hard {
			w.Spread[0].Hard = w.Spread[0].Over == placement.LabelDomain && !hard
			hard = true
		}
		asked.CPU += w.Requests.CPU * int64(w.Replicas)
		asked.Memory += w.Requests.Memory * int64(w.Replicas)
		asked.Pods += int64(w.Replicas)
		workloads = append(workloads, w)
	}
	has := open(nodes)
	fill := 0.8 + r.Float64()/2
	most := max(float64(asked.CPU)/float64(has.CPU), float64(asked.Memory)/float64(has.Memory), float64(asked.Pods)/float64(has.Pods))
	for i := range workloads {
		workloads[i].Replicas = max(1, int(float64(workloads[i].Replicas)*fill/most))
	}
	return nodes, append(workloads, randomDaemon(r))
}

// small halves requests until they are no more than one of some parts of every node.
func small(asked placement.Resources, nodes []placement.Node, parts int64) placement.Resources {
	for _, n := range nodes {
		for asked.CPU*parts > n.Allocatable.CPU {
			asked.CPU /= 2
		}
		for asked.Memory*parts > n.Allocatable.Memory {
			asked.Memory /= 2
		}
	}
	return asked
}

// identicalSet is more pods of one workload than there is room for, most of the time.
func identicalSet(r *rand.Rand) ([]placement.Node, []placement.Workload) {
	nodes := randomNodes(r)
	w := randomWorkload(r, "same")
	w.Requests.CPU, w.Requests.Memory = max(w.Requests.CPU, 400), max(w.Requests.Memory, 512<<20)
	room, _, _ := placement.Place(nodes, nil).HowManyMore(w)
	w.Replicas = max(1, room+r.IntN(20)-8)
	return nodes, []placement.Workload{w, randomDaemon(r)}
}
