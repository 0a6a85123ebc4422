package capacity

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/placement"
)

func web(replicas int, cpu inventory.MilliCPU, memory int64) inventory.Workload {
	return inventory.Workload{Name: "web", Replicas: replicas, CPU: cpu, Memory: inventory.Bytes(memory)}
}

func declares(loads ...inventory.Workload) func(*Inputs) {
	return func(in *Inputs) { in.Cluster.Capacity.Workloads = loads }
}

// reflected has m1 and m2 as route reflectors.
func reflected(in *Inputs) {
	in.Cluster.Calico.Topology, in.Cluster.Calico.RouteReflectors = inventory.TopologyRouteReflectors, []string{"m1", "m2"}
}

// judge is every check up to tier 1.
func judge1(in Inputs) []Check { return append(Tier0Of(in), Tier1(in)...) }

// Each supposition changes what it says, and the checks are made with that.
func TestWhatIf(t *testing.T) {
	for _, test := range []struct {
		name     string
		in       Inputs
		what     WhatIf
		id       string
		before   Status
		after    Status
		measured string // after
		supposed string
	}{
		{
			"2 × 15.75 CPU for 40, and 3 × with three more nodes in 3 domains", roomy(abc(), 3, declares(web(40, 1000, testMiB))),
			WhatIf{AddNodes: 3, Like: "n2"}, "headroom-cpu", Fail, Pass, "declared workloads ask for 40 CPU",
			"3 nodes like n2 added, in failure domains a, b, c",
		},
		{
			"100 hosts in the mesh, and 101", roomy(abc(), 97), WhatIf{AddNodes: 1, Like: "n1"}, "mesh-size", Warn, Fail,
			"101 hosts, 5050 sessions", "1 node like n1 added, in failure domain b",
		},
		{
			"30 CPU on 2 × 15.75, and on 1 ×", roomy(abc(), 3, declares(web(30, 1000, testMiB))), WhatIf{Remove: []string{"n3"}},
			"headroom-cpu", Warn, Fail, "declared workloads ask for 30 CPU; 15 of 30 declared pods find no place without failure domain a, as of web: no node left has CPU for it: it asks for 1, the largest free is 750m on n2", "n3 removed",
		},
		{
			"3 masters, and 2", roomy(abc(), 1), WhatIf{Remove: []string{"m3"}}, "master-count", Pass, Fail, "2 masters, 0 may fail", "m3 removed",
		},
		{
			"2 route reflectors in 2 domains, and 1", roomy(abc(), 1, reflected), WhatIf{Remove: []string{"m2"}}, "route-reflectors", Pass, Warn, "1 route reflector in 1 failure domain", "m2 removed",
		},
		{
			"2 route reflectors in 2 domains, of which one is lost", roomy(abc(), 1, reflected), WhatIf{Lose: []string{"a"}},
			"route-reflectors", Pass, Pass, "2 route reflectors in 2 failure domains", "failure domain a lost: 2 hosts down",
		},
		{
			"2 route reflectors in 2 domains, and both are lost", roomy(abc(), 1, reflected), WhatIf{Lose: []string{"a", "b"}},
			"route-reflectors", Pass, Fail, "2 route reflectors in 2 failure domains, and none is left", "failure domains a, b lost: 3 hosts down",
		},
		{
			"another machine like the one that goes", roomy(abc(), 3, declares(web(30, 1000, testMiB))), WhatIf{AddNodes: 1, Like: "n3", Remove: []string{"n3"}},
			"headroom-cpu", Warn, Warn, "declared workloads ask for 30 CPU", "n3 removed; 1 node like n3 added, in failure domain c",
		},
		{
			"a loss that may be is none any more", roomy(abc(), 3, declares(web(20, 1000, testMiB))), WhatIf{Lose: []string{"b"}},
			"headroom-cpu", Pass, Pass, "declared workloads ask for 20 CPU", "failure domain b lost: 2 hosts down",
		},
		{
			"two are lost where one may be", roomy(abc(), 3, declares(web(20, 1000, testMiB))), WhatIf{Lose: []string{"b", "c"}},
			"headroom-cpu", Pass, Fail, "declared workloads ask for 20 CPU; 5 of 20 declared pods find no place on all hosts, as of web: no node left has CPU for it: it asks for 1, the largest free is 750m on n1", "failure domains b, c lost: 4 hosts down",
		},
		{
			"1 of 3 masters is lost, and 2", roomy(abc(), 1), WhatIf{Lose: []string{"a", "c"}}, "quorum-domain", Pass, Fail,
			"2 of 3 masters in failure domains a, c", "failure domains a, c lost: 3 hosts down",
		},
		{
			"of two masters one is lost", roomy([]string{"a", "b"}, 1), WhatIf{Lose: []string{"a"}}, "quorum-domain", "", Fail,
			"1 of 2 masters in failure domain a", "failure domain a lost: 2 hosts down",
		},
		{
			"who is down has its blocks still", roomy(abc(), 3), WhatIf{Lose: []string{"b"}}, "pod-blocks", Pass, Pass,
			"12 blocks of /26 for 6 hosts", "failure domain b lost: 2 hosts down",
		},
		{
			"nothing declared, and 40 CPU on 2 × 15.75", roomy(abc(), 3), WhatIf{Workloads: []inventory.Workload{web(40, 1000, testMiB)}},
			"headroom-cpu", "", Fail, "declared workloads ask for 40 CPU; 10 of 40 declared pods find no place without failure domain a, as of web: no node left has CPU for it: it asks for 1, the largest free is 750m on n2",
			"workload web declared: 40 pods of 1 CPU and 1.0 MiB",
		},
		{
			"one of the same name takes its place", roomy(abc(), 3, declares(web(40, 1000, testMiB))), WhatIf{Workloads: []inventory.Workload{web(2, 1000, testMiB)}},
			"headroom-cpu", Fail, Pass, "declared workloads ask for 2 CPU", "workload web declared: 2 pods of 1 CPU and 1.0 MiB",
		},
		{
			"21 pods × 1.5, rounded up", roomy(abc(), 3, declares(web(21, 1000, testMiB))), WhatIf{Grow: 1.5}, "headroom-cpu", Pass, Fail,
			"declared workloads ask for 32 CPU; 2 of 32 declared pods find no place without failure domain a, as of web: no node left has CPU for it: it asks for 1, the largest free is 750m on n2", "1.5 times the pods that are declared, and that run",
		},
		{
			"what runs grows as well", roomy(abc(), 3, runningPods3(10_500, "n3")), WhatIf{Grow: 1.5}, "headroom-cpu", Pass, Fail,
			"running pods ask for 31.5 CPU; 1 of 3 running pods find no place without failure domain a, as of ns/web: no node left has CPU for it: it asks for 10500m, the largest free is 5500m on n2", "1.5 times the pods that are declared, and that run",
		},
		{
			"1000 pods × 1.005, which is not rounded away", roomy(abc(), 3, declares(web(1000, 10, testMiB))), WhatIf{Grow: 1.005}, "cluster-pods", Pass, Pass,
			"1005 declared pods", "1.005 times the pods that are declared, and that run",
		},
		{
			"what is supposed to be declared does not grow", roomy(abc(), 3, declares(web(10, 1000, testMiB))), WhatIf{Grow: 3, Workloads: []inventory.Workload{web(12, 1000, testMiB)}},
			"headroom-cpu", Pass, Pass, "declared workloads ask for 12 CPU",
			"3 times the pods that are declared, and that run; workload web declared: 12 pods of 1 CPU and 1.0 MiB",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.what.Refused(test.in.Cluster); err != nil {
				t.Fatal(err)
			}
			was := fmt.Sprintf("%+v", test.in)
			of := func(in Inputs) (c Check) {
				for _, one := range judge1(in) {
					if one.ID == test.id && (c.ID == "" || worse(c.Status, one.Status) != c.Status) {
						c = one
					}
				}
				return c
			}
			before, after := of(test.in), of(test.what.Suppose(test.in))
			if before.Status != test.before || after.Status != test.after || after.Measured != test.measured {
				t.Errorf("%s and %s, not %s and %s: %q, not %q", before.Status, after.Status, test.before, test.after, after.Measured, test.measured)
			}
			if got := strings.Join(test.what.Supposed(test.in.Cluster), "; "); got != test.supposed {
				t.Errorf("supposed %q, not %q", got, test.supposed)
			}
			if fmt.Sprintf("%+v", test.in) != was {
				t.Error("what it was asked of has changed")
			}
		})
	}
}

// What cannot be supposed is refused, with what there is.
func TestWhatIfIsRefused(t *testing.T) {
	for want, what := range map[string]WhatIf{
		"": {AddNodes: 1, Like: "n1", Remove: []string{"m1"}, Lose: []string{"a"}},
		`--like: the inventory has no host "x": it has m1, m2, m3, n1`:   {AddNodes: 1, Like: "x"},
		"--like: m1 is a kube_master: name a kube_node":                  {AddNodes: 1, Like: "m1"},
		`--remove: the inventory has no host "x": it has m1, m2, m3, n1`: {Remove: []string{"x"}},
		"--remove: n1 is named twice":                                    {Remove: []string{"n1", "n1"}},
		"--remove: no master would be left":                              {Remove: []string{"m1", "m2", "m3"}},
		`--lose: no host is in failure domain "x": there are a, b, c`:    {Lose: []string{"x"}},
		"--lose: a is named twice":                                       {Lose: []string{"a", "a"}},
		"--workload: web is given twice":                                 {Workloads: []inventory.Workload{web(1, 1, 1), web(2, 1, 1)}},
	} {
		got := ""
		if err := what.Refused(sized(abc(), 1)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// Without a host is what an inventory without it is, and with hosts what one with them is.
func TestRemovedIsNotThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.IntRange(2, 9).Draw(t, "nodes")
		in := roomy(abc(), nodes, declares(web(rapid.IntRange(1, 200).Draw(t, "replicas"), 900, testGiB)))
		gone := rapid.SampledFrom(in.Cluster.Hosts()).Draw(t, "gone").Name
		without := in
		c := *in.Cluster
		is := func(h inventory.Host) bool { return h.Name == gone }
		c.KubeMasters, c.KubeNodes = slices.DeleteFunc(slices.Clone(c.KubeMasters), is), slices.DeleteFunc(slices.Clone(c.KubeNodes), is)
		without.Cluster, without.Hosts = &c, map[string]HostFacts{}
		for _, h := range c.Hosts() {
			without.Hosts[h.Name] = in.Hosts[h.Name]
		}
		got := WhatIf{Remove: []string{gone}}.Suppose(in)
		if a, b := judge1(got), judge1(without); !reflect.DeepEqual(a, b) {
			t.Fatalf("without %s:\n%v\nnot\n%v", gone, a, b)
		}
		if a, b := Summarize(got, Place(got)), Summarize(without, Place(without)); !reflect.DeepEqual(a, b) {
			t.Fatalf("without %s:\n%+v\nnot\n%+v", gone, a, b)
		}
	})
}

// With more nodes no fewer pods fit: of one workload not one, also when a failure domain is
// lost; of several that ask for no more than an eighth of a node each, none but the margin
// that is kept for orders that were not tried. It is not so of larger pods: small ones, which
// the scheduler puts where most is free, lie on the new nodes too, and a large one that had
// room there finds it nowhere. Nor is it so of several after a loss, of whatever size: a node
// more in the domain that is lost means that less lies elsewhere, where it would stay, and
// that more is submitted again, the large ones first when it is worst.
func TestMoreNodesHoldNoLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.IntRange(1, 8).Draw(t, "nodes")
		workloads := rapid.IntRange(1, 4).Draw(t, "workloads")
		cpu, memory := 60, int64(30) // of a node's 15.75 and 62: a node holds two or three
		if workloads > 1 {
			cpu, memory = 16, 4
		}
		var loads []inventory.Workload
		for i := range workloads {
			loads = append(loads, inventory.Workload{
				Name: fmt.Sprint("w", i), Replicas: rapid.IntRange(1, 120).Draw(t, "replicas"),
				CPU: inventory.MilliCPU(100 * rapid.IntRange(1, cpu).Draw(t, "cpu")), Memory: inventory.Bytes(testGiB * rapid.Int64Range(0, memory).Draw(t, "memory")),
			})
		}
		in := roomy(abc(), nodes, declares(loads...))
		more := WhatIf{AddNodes: rapid.IntRange(1, 5).Draw(t, "more"), Like: "n1"}.Suppose(in)
		a, b := Place(in).Declared, Place(more).Declared
		all, each := placement.Margin(0), placement.Margin(0)
		if workloads > 1 {
			all, each = placement.Whole, placement.AfterLoss
		}
		if b.All.Placed < a.All.Placed-all.Of(a.All.Placed) || workloads == 1 && b.Loss.Result.Placed < a.Loss.Result.Placed {
			t.Fatalf("%d and %d when one is lost; with more nodes %d and %d: %+v", a.All.Placed, a.Loss.Result.Placed, b.All.Placed, b.Loss.Result.Placed, loads)
		}
		for i := range loads {
			if b.All.Placed == a.All.Placed && b.All.Wanted == b.All.Placed && b.More[i] < a.More[i]-each.Of(a.More[i]) {
				t.Fatalf("%d more of %s, and with more nodes %d", a.More[i], loads[i].Name, b.More[i])
			}
		}
	})
}

// What nodes use up is found to the node, by the checks themselves.
func TestGrow(t *testing.T) {
	in := roomy(abc(), 2, func(in *Inputs) {
		in.Cluster.BigIPs = []inventory.BigIP{{Name: "f5-a", MaxPeers: 50, MaxRoutes: 1000}, {Name: "f5-b", MaxPeers: 60, MaxRoutes: 80}}
		for _, m := range []string{"m1", "m2", "m3"} {
			f := in.Hosts[m]
			f.CPUs = 4
			in.Hosts[m] = f
		}
	})
	g := Grow(in, "")
	type row struct {
		check, subject string
		nodes          int
		status         Status
		never          bool
	}
	var got []row
	for _, l := range g.Limits {
		got = append(got, row{l.Check, l.Subject, l.Nodes, l.Status, l.Never})
	}
	want := []row{
		{"pod-blocks", "", 507, Fail, false}, // 1024 / 2 − 5
		{"service-cidr", "", 4996, Pass, true},
		{"master-cpu", "", 98, Warn, false}, // standard has 4 cores up to 100 nodes
		{"master-memory", "", 498, Warn, false},
		{"mesh-size", "", 95, Fail, false},
		{"bigip-sessions", "f5-a", 45, Fail, false}, {"bigip-sessions", "f5-b", 55, Fail, false},
		{"bigip-routes", "f5-a", 494, Fail, false}, // (1000 − 1) / 2 − 5
		{"bigip-routes", "f5-b", 34, Fail, false},  // (80 − 1) / 2 − 5
		{"cluster-hosts", "", 4995, Warn, false},
	}
	if !slices.Equal(got, want) || g.Like != "n1" || !slices.Equal(g.First, []int{8}) {
		t.Errorf("%s, first %v\n%+v\nnot\n%+v", g.Like, g.First, got, want)
	}
	// What is told of one more is what the check says of it.
	for i, n := range []int{507, 45, 34} {
		l := g.Limits[[]int{0, 5, 8}[i]]
		for add, status := range map[int]Status{n: Warn, n + 1: Fail} {
			for _, c := range Tier0Of(WhatIf{AddNodes: add, Like: "n1"}.Suppose(in)) {
				if c.ID == l.Check && c.Subject == l.Subject && (c.Status != status || add > n && (c.Measured != l.Measured || c.Threshold != l.Threshold)) {
					t.Errorf("%d more: %+v, told of it %+v", add, c, l)
				}
			}
		}
	}
	over := Grow(roomy(abc(), 120), "n7")
	if l := over.Limits[4]; l.Check != "mesh-size" || !l.Over || l.Nodes != 0 || l.Measured != "123 hosts, 7503 sessions" || over.Like != "n7" {
		t.Errorf("%+v", over)
	}
	if Grow(roomy(abc(), 0), "") != nil || Grow(in, "m1") != nil {
		t.Error("there is nothing that could be added")
	}
}

// One that goes is no model any more: then it is the first that stays, and takes pods.
func TestGrowWithoutTheModel(t *testing.T) {
	in := roomy(abc(), 3)
	in.Cluster.KubeNodes[1].Taints = []inventory.Taint{{Key: "gpu", Effect: "NoSchedule"}}
	what := WhatIf{Remove: []string{"n1"}, Like: "n1"}
	if g := Grow(what.Suppose(in), what.Like); g == nil || g.Like != "n3" {
		t.Errorf("%+v", g)
	}
}

// What each host's pods ask for grows with them; and is not told while some have to move.
func TestWhatIfOfWhatRunsOnHosts(t *testing.T) {
	in := roomy(abc(), 3, runningPods3(1000))
	in.RunningOn = map[string]Amount{"n1": {1000, 3}, "n2": {1000, 3}, "n3": {1000, 3}}
	got := WhatIf{Grow: 1.5}.Suppose(in)
	if got.RunningOn["n2"] != (Amount{1500, 5}) || in.RunningOn["n2"] != (Amount{1000, 3}) {
		t.Errorf("%v of %v", got.RunningOn, in.RunningOn)
	}
	for _, what := range []WhatIf{{Remove: []string{"n1"}}, {Lose: []string{"a"}}} {
		for _, d := range Summarize(what.Suppose(in), Fits{}).Domains {
			if d.Running != nil {
				t.Errorf("%+v: %+v", what, d)
			}
		}
	}
	if got := (WhatIf{AddNodes: 1, Like: "n1"}).Suppose(in); len(got.RunningOn) != 3 {
		t.Errorf("%v", got.RunningOn)
	}
	none := roomy(abc(), 3)
	if got := (WhatIf{Grow: 2}).Suppose(none); got.RunningOn != nil {
		t.Errorf("nobody was asked: %v", got.RunningOn)
	}
}

// What runs is where it is, and what runs on a host that goes is placed again.
func TestWhatRunsIsPlaced(t *testing.T) {
	in := roomy(abc(), 3, runningPods3(10_500))
	f := Place(in).Running
	if f.All.Placed != 3 || f.Loss.Result.Placed != 2 || len(f.Loss.Domains) != 1 {
		t.Errorf("%+v", f)
	}
	in = roomy(abc(), 3, runningPods3(10_500, "n1"))
	one := in.Hosts["n1"]
	one.Node = &LiveNode{Labels: map[string]string{"kubernetes.io/os": "linux"}, Cordoned: true, Taken: placement.Resources{CPU: 100, Pods: 1}}
	in.Hosts["n1"] = one
	in.Pods = append(in.Pods, placement.Workload{Name: "ns/x", Replicas: 1, Requests: placement.Resources{CPU: 15_000}, NodeSelector: map[string]string{"kubernetes.io/os": "linux"}, Running: map[string]int{}})
	// n1 takes none that is cordoned, or where too much is taken; and nobody else has room.
	for want, set := range []func(){func() { one.Node.Cordoned = false }, func() { one.Node.Taken.CPU = 1001 }} {
		if f := Place(in).Running; missing(f.All) != 1-want {
			t.Errorf("%+v", f.All)
		}
		set()
	}
	if f := Place(in).Running; missing(f.All) != 1 {
		t.Errorf("%+v", f.All)
	}
}
