package provision

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/survey"
	"github.com/droverctl/drover/provision/plan"
)

// gated is a cluster of three masters and nodes n1, n2…, each in a failure domain of its
// own and with room for ten pods, of which the first are members.
func gated(nodes, members int, change func(*inventory.Cluster), task NodeTask) (*Session, map[string]Facts) {
	c := &inventory.Cluster{
		PodCIDR: netip.MustParsePrefix("10.100.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"),
		Calico: inventory.Calico{BlockSize: 26, Topology: inventory.TopologyMesh}, Capacity: inventory.Capacity{Profile: "standard", Tolerate: 1},
	}
	host := func(name string, role inventory.Role) inventory.Host {
		return inventory.Host{Name: name, Role: role, FailureDomain: name, Kubelet: inventory.Kubelet{MaxPods: 11}}
	}
	var names []string
	for n := range 3 {
		h := host(fmt.Sprintf("m%d", n+1), inventory.RoleMaster)
		h.Taints = []inventory.Taint{{Key: "master", Effect: "NoSchedule"}}
		c.KubeMasters, names = append(c.KubeMasters, h), append(names, h.Name)
	}
	for n := range nodes {
		h := host(fmt.Sprintf("n%d", n+1), inventory.RoleNode)
		c.KubeNodes, names = append(c.KubeNodes, h), append(names, h.Name)
	}
	if change != nil {
		change(c)
	}
	s := begin(c, Options{Nodes: task})
	s.verdict.Standing = identity.New
	seen := map[string]Facts{}
	s.seen = map[string]facts.Snapshot{}
	for i, name := range names {
		if i < members {
			s.verdict.Standing = identity.Existing
			s.members = append(s.members, cluster.Member{Name: name})
		}
		s.seen[name] = facts.Snapshot{CPUs: 4, Memory: 16 << 30}
		seen[name] = Facts{CPUs: 4, Memory: 16 << 30}
	}
	s.access = s.way(nil) // it does not answer
	return s, seen
}

// What stops a run is what it makes worse: not what is waived, not what was as bad
// before, nor what the operator has said is to be borne.
func TestCapacityGate(t *testing.T) {
	web := func(replicas int) func(*inventory.Cluster) {
		return func(c *inventory.Cluster) {
			c.Capacity.Workloads = []inventory.Workload{{Name: "web", Replicas: replicas, CPU: 1, Memory: 1}}
		}
	}
	weak := func(name string) func(map[string]Facts) {
		return func(f map[string]Facts) { f[name] = Facts{CPUs: 1, Memory: 16 << 30} }
	}
	full := func(name string) func(map[string]Facts) {
		return func(f map[string]Facts) {
			one := f[name]
			one.Disks = []survey.Disk{{Path: "/var/lib/kubelet", Mount: "/", Size: 100, Free: 1}}
			f[name] = one
		}
	}
	remove := func(names ...string) NodeTask { return NodeTask{Verb: NodeRemove, Names: names} }
	for _, test := range []struct {
		name           string
		nodes, members int
		change         func(*inventory.Cluster)
		task           NodeTask
		facts          func(map[string]Facts)
		stops          []string // ids
		shown          []string // and not stopping
	}{
		{name: "all is well", nodes: 3},
		// Three nodes hold 10 pods each; without the domain that may be lost 20 are left.
		{name: "20 = 2 × 10 places, at bootstrap", nodes: 3, change: web(20), shown: []string{"workload-pods"}},
		{name: "21 > 2 × 10 places, at bootstrap", nodes: 3, change: web(21), stops: []string{"workload-pods"}},
		{name: "16 > 1 × 10 places when one of three goes", nodes: 3, members: 6, change: web(16), task: remove("n3"), stops: []string{"workload-pods"}},
		{name: "10 = 1 × 10 places when one of three goes", nodes: 3, members: 6, change: web(10), task: remove("n3"), shown: []string{"workload-pods"}},
		{name: "a stranger goes, and it was as bad before", nodes: 3, members: 6, change: web(25), task: remove("stranger"), shown: []string{"workload-pods"}},
		{name: "it is worse than it was", nodes: 3, members: 6, change: web(25), task: remove("n3"), stops: []string{"workload-pods"}},
		{name: "the operator said without room", nodes: 3, members: 6, change: web(25), task: NodeTask{Verb: NodeRemove, Names: []string{"n3"}, WithoutRoom: true}, shown: []string{"workload-pods"}},
		{name: "it is waived", nodes: 3, members: 6, change: func(c *inventory.Cluster) {
			web(25)(c)
			c.Capacity.Waivers = []inventory.Waiver{{Check: "workload-pods", Reason: "r", Expires: "2999-12-31"}}
		}, task: remove("n3"), shown: []string{"workload-pods"}},
		{name: "the waiver has expired", nodes: 3, members: 6, change: func(c *inventory.Cluster) {
			web(25)(c)
			c.Capacity.Waivers = []inventory.Waiver{{Check: "workload-pods", Reason: "r", Expires: "2020-12-31"}}
		}, task: remove("n3"), stops: []string{"workload-pods"}},
		{name: "a node joins, and it is better than before", nodes: 4, members: 6, change: web(35), shown: []string{"workload-pods"}},
		{name: "nobody comes or goes", nodes: 3, members: 6, change: web(35), shown: []string{"workload-pods"}},
		{name: "a master leaves two", nodes: 3, members: 6, task: remove("m3"), shown: []string{"master-count"}},
		{name: "one domain holds the quorum, and a node joins", nodes: 4, members: 6, change: func(c *inventory.Cluster) {
			c.KubeMasters[0].FailureDomain = "m2"
		}, shown: []string{"quorum-domain"}},
		{name: "one domain holds the quorum, at bootstrap", nodes: 3, change: func(c *inventory.Cluster) {
			c.KubeMasters[0].FailureDomain = "m2"
		}, stops: []string{"quorum-domain"}},
		{name: "more pods than blocks, as it was", nodes: 3, members: 6, change: func(c *inventory.Cluster) {
			c.PodCIDR = netip.MustParsePrefix("10.100.0.0/24")
		}, shown: []string{"pod-blocks"}},
		{name: "more pods than blocks, and a node joins", nodes: 4, members: 6, change: func(c *inventory.Cluster) {
			c.PodCIDR = netip.MustParsePrefix("10.100.0.0/24")
		}, stops: []string{"pod-blocks"}},
		{name: "n4 is in the inventory alone, and is no room for what n3 had", nodes: 4, members: 6, change: web(16), task: remove("n3"), stops: []string{"workload-pods"}},
		{name: "n5 is in the inventory alone, and n4 is added", nodes: 5, members: 6, change: web(16), task: NodeTask{Verb: NodeAdd, Names: []string{"n4"}}},
		{name: "100 hosts in the mesh become 101", nodes: 98, members: 100, stops: []string{"mesh-size"}},
		{name: "101 hosts in the mesh become 100", nodes: 98, members: 101, task: remove("n98")},
		{name: "101 hosts in the mesh stay", nodes: 98, members: 101, shown: []string{"mesh-size"}},
		{name: "a master of 1 core is to be one", nodes: 3, facts: weak("m1"), stops: []string{"master-cpu"}, shown: []string{"node-pods"}},
		{name: "a master of 1 core is one", nodes: 3, members: 6, facts: weak("m1"), shown: []string{"master-cpu"}},
		{name: "a node with a full disk is to be one", nodes: 3, members: 5, facts: full("n3"), stops: []string{"node-disk"}},
		{name: "a node with a full disk is one, and another joins", nodes: 3, members: 5, facts: full("n2"), shown: []string{"node-disk"}},
		{name: "another machine with a full disk takes a place", nodes: 3, members: 6, task: NodeTask{Verb: NodeReplace, Names: []string{"n3"}}, facts: full("n3"), stops: []string{"node-disk"}},
		{name: "the master's profile is left behind by who comes", nodes: 98, members: 13, change: func(c *inventory.Cluster) {
			for i := range c.KubeNodes {
				c.KubeNodes[i].Kubelet.MaxPods = 11
			}
			n := 200.0
			c.Capacity.Thresholds = []inventory.Threshold{{Check: "mesh-size", Warn: &n, Fail: &n}}
		}, facts: func(f map[string]Facts) { f["m1"] = Facts{CPUs: 2, Memory: 16 << 30} }, shown: []string{"master-cpu"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, seen := gated(test.nodes, test.members, test.change, test.task)
			if test.facts != nil {
				test.facts(seen)
			}
			gate := s.capacityGate(t.Context(), plan.Plan{}, seen)
			var stops, shown []string
			for _, c := range gate.Stops {
				stops = append(stops, c.ID)
			}
			for _, c := range gate.Checks {
				if !slices.Contains(stops, c.ID) && !slices.Contains(shown, c.ID) && c.ID != "headroom-cpu" {
					shown = append(shown, c.ID)
				}
			}
			if !slices.Equal(stops, test.stops) || !slices.Equal(shown, test.shown) {
				t.Errorf("stops %v, not %v; shows besides %v, not %v\n%v", stops, test.stops, shown, test.shown, gate.Checks)
			}
		})
	}
}

// A cluster that cannot be asked is warned of, not taken for one in which nothing runs.
func TestCapacityGateWithoutTheCluster(t *testing.T) {
	s, seen := gated(3, 6, nil, NodeTask{Verb: NodeRemove, Names: []string{"n3"}})
	if gate := s.capacityGate(t.Context(), plan.Plan{}, seen); len(gate.Warnings) != 1 || !strings.Contains(gate.Warnings[0], "could not be asked what its pods ask for") {
		t.Errorf("%v", gate.Warnings)
	}
}
