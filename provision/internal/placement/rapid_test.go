package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/droverctl/drover/provision/internal/placement"
)

func drawRand(t *rapid.T) *rand.Rand { return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)) }

// No node is given more than it has, no pod is where it may not be, and none is lost
// or made up.
func TestPlacementIsLawful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, workloads := anySet(drawRand(t), 0)
		p := placement.Place(nodes, workloads)
		lawful(t, nodes, workloads, p.Result())
		gone := rapid.SampledFrom(nodes).Draw(t, "gone").Name
		r, err := p.Remove(gone)
		if err != nil {
			t.Fatal(err)
		}
		lawful(t, nodes, workloads, r)
		for _, o := range r.Workloads {
			if o.On[gone] > 0 {
				t.Fatalf("%d of %s are on %s, which is gone", o.On[gone], o.Workload, gone)
			}
		}
	})
}

func lawful(t *rapid.T, nodes []placement.Node, workloads []placement.Workload, r placement.Result) {
	used := map[string]placement.Resources{}
	for i, w := range workloads {
		o := r.Workloads[i]
		if !w.DaemonSet && o.Placed+o.Missing != w.Replicas {
			t.Fatalf("%s: %d + %d of %d", w.Name, o.Placed, o.Missing, w.Replicas)
		}
		for node, pods := range o.On {
			u := used[node]
			u.CPU += w.Requests.CPU * int64(pods)
			u.Memory += w.Requests.Memory * int64(pods)
			u.Pods += int64(pods)
			used[node] = u
		}
	}
	for _, n := range nodes {
		if u := used[n.Name]; u.CPU > n.Allocatable.CPU || u.Memory > n.Allocatable.Memory || u.Pods > n.Allocatable.Pods {
			t.Fatalf("%s is given %+v of %+v", n.Name, u, n.Allocatable)
		}
		for i, w := range workloads {
			if on := r.Workloads[i].On[n.Name]; on > 0 && !w.DaemonSet && (n.Cordoned || n.Name == "master" && len(w.Tolerations) == 0 || w.NodeSelector["tier"] != "" && n.Labels["tier"] != "web") {
				t.Fatalf("%d of %s are on %+v", on, w.Name, n)
			}
		}
	}
}

// Of identical pods it is exactly so many, whatever runs beside them already: what fits is
// full, and no order or chance changes it; and where it is not full, one more fits.
func TestIdenticalIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRand(t)
		nodes, workloads := identicalSet(r)
		runs := r.IntN(2) == 0
		if runs {
			workloads = append(workloads, placement.Workload{Name: "beside", Replicas: 3, Requests: placement.Resources{CPU: 70, Memory: 50 << 20},
				Running: map[string]int{"n0": 2, "n1": 1}})
		}
		p := placement.Place(nodes, workloads)
		said := p.Result()
		names := make([]string, workloads[0].Replicas)
		for i := range names {
			names[i] = workloads[0].Name
		}
		if placed := placement.PlaceInOrder(nodes, workloads, names, r.Uint64()); !said.Exact || placed != said.Placed {
			t.Fatalf("%d, said to be exact %t; chance made it %d", said.Placed, said.Exact, placed)
		}
		more, _, why := p.HowManyMore(workloads[0])
		if said.Placed < said.Wanted && more > 0 || why == "" {
			t.Fatalf("%d of %d are placed, and %d more fit: %s", said.Placed, said.Wanted, more, why)
		}
		if said.Placed == said.Wanted && !runs {
			workloads[0].Replicas += more + 1
			if again := placement.Place(nodes, workloads).Result(); again.Placed != said.Placed+more {
				t.Fatalf("%d and %d more were to fit, and %d do", said.Placed, more, again.Placed)
			}
		}
	})
}

// In no order is less placed than what is said, before and after a node is lost, as far as
// random orders and the worst that are known tell; and the worst of them comes near. The
// sets are always the same ones, for which of equal nodes a random one takes may be worse
// than any margin.
func TestNoOrderIsWorse(t *testing.T) {
	for name, draw := range map[string]drawSet{"ordinary": ordinarySet, "coarse": coarseSet} {
		for _, seed := range []uint64{6, 7} {
			for set := range uint64(30) {
				r := rand.New(rand.NewPCG(seed, set))
				noOrderIsWorse(t, r, draw, fmt.Sprintf("%s set %d of seed %d", name, set, seed))
			}
		}
	}
}

func noOrderIsWorse(t *testing.T, r *rand.Rand, draw drawSet, name string) {
	nodes, workloads := draw(r)
	p := placement.Place(nodes, workloads)
	lost, err := p.Remove("n1")
	if err != nil {
		t.Fatal(err)
	}
	least, left := lost.Wanted, lost.Wanted
	try := func(names []string, again func([]string)) {
		b, a := placement.LoseInOrder(nodes, workloads, names, "n1", again, r.Uint64())
		least, left = min(least, b), min(left, a)
	}
	shuffled := func(names []string) {
		r.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
	}
	names := slices.Clone(p.Orders()[0])
	for range 20 {
		shuffled(names)
		try(names, shuffled)
	}
	for i, order := range p.LossOrders("n1") {
		for range 5 {
			try(p.Orders()[i], by(order.Again))
			try(order.Before, by(order.Again))
			try(order.Before, shuffled)
		}
	}
	near(t, name, p.Result(), least)
	near(t, name+" without n1", lost, left)
}

func near(t *testing.T, set string, said placement.Result, least int) {
	if said.Placed > least {
		t.Errorf("%s: %d of %d are said to be placed in any order, and in one %d are", set, said.Placed, said.Wanted, least)
	}
	if far(said, []int{least}, 5) {
		t.Errorf("%s: %d of %d are said to be placed in any order, and in the worst of many %d are", set, said.Placed, said.Wanted, least)
	}
}

// More nodes never mean that fewer of one workload are placed.
func TestMoreNodesHoldMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, workloads := identicalSet(drawRand(t))
		if len(workloads[0].Spread) > 0 {
			t.Skip("a rule how to lie may be held by the new node")
		}
		fewer := placement.Place(nodes[:len(nodes)-1], workloads).Result()
		if all := placement.Place(nodes, workloads).Result(); all.Placed < fewer.Placed {
			t.Fatalf("%d on all nodes, %d without one", all.Placed, fewer.Placed)
		}
	})
}

// The same question has the same answer.
func TestSameAnswer(t *testing.T) {
	nodes, workloads := coarseSet(rand.New(rand.NewPCG(9, 9)))
	a, b := placement.Place(nodes, workloads), placement.Place(nodes, workloads)
	if a.Result().Placed != b.Result().Placed || a.WorstLoss(1).Result.Placed != b.WorstLoss(1).Result.Placed {
		t.Error("two answers")
	}
}
