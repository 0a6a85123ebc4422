package capacity

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

// sized is a cluster whose masters are in the domains given, and whose nodes
// are in three domains in turn.
func sized(domains []string, nodes int) *inventory.Cluster {
	c := &inventory.Cluster{
		Name: "c", PodCIDR: netip.MustParsePrefix("10.100.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"),
		Calico:   inventory.Calico{BlockSize: 26, Topology: inventory.TopologyMesh},
		Capacity: inventory.Capacity{Tolerate: 1},
		CoreDNS:  inventory.CoreDNS{Replicas: 2},
	}
	kubelet := inventory.Kubelet{MaxPods: 110}
	for i, d := range domains {
		c.KubeMasters = append(c.KubeMasters, inventory.Host{
			Role: inventory.RoleMaster, Name: fmt.Sprintf("m%d", i+1), FailureDomain: d, Kubelet: kubelet,
			Taints: []inventory.Taint{{Key: "master", Effect: "NoSchedule"}},
		})
	}
	for i := range nodes {
		c.KubeNodes = append(c.KubeNodes, inventory.Host{
			Role: inventory.RoleNode, Name: fmt.Sprintf("n%d", i+1), FailureDomain: string(rune('a' + i%3)), Kubelet: kubelet,
		})
	}
	return c
}

func abc() []string { return []string{"a", "b", "c"} }

// row is a cluster, and what a check makes of it.
type row struct {
	name    string
	cluster *inventory.Cluster
	id      string
	want    Status // "": no such check
}

// Every threshold of tier 0: at it, below and above.
func TestThresholds(t *testing.T) {
	for _, test := range tier0Rows() {
		t.Run(test.id+"/"+test.name, func(t *testing.T) {
			var got []Check
			for _, c := range Tier0(test.cluster) {
				checkFields(t, c)
				if c.ID == test.id {
					got = append(got, c)
				}
			}
			if test.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || got[0].Status != test.want {
				t.Errorf("want %q, got %+v", test.want, got)
			}
		})
	}
}

// tier0Rows has the arithmetic in its names where it is not the number itself.
func tier0Rows() []row {
	type change = func(*inventory.Cluster)
	masters := func(domains ...string) *inventory.Cluster { return sized(domains, 1) }
	three := func(nodes int, changes ...change) *inventory.Cluster {
		c := sized(abc(), nodes)
		for _, f := range changes {
			f(c)
		}
		return c
	}
	podCIDR := func(s string) change { return func(c *inventory.Cluster) { c.PodCIDR = netip.MustParsePrefix(s) } }
	serviceCIDR := func(s string) change {
		return func(c *inventory.Cluster) { c.ServiceCIDR = netip.MustParsePrefix(s) }
	}
	maxPods := func(n int) change {
		return func(c *inventory.Cluster) {
			for i := range c.KubeMasters {
				c.KubeMasters[i].Kubelet.MaxPods = n
			}
			for i := range c.KubeNodes {
				c.KubeNodes[i].Kubelet.MaxPods = n
			}
		}
	}
	tolerate := func(n int) change { return func(c *inventory.Cluster) { c.Capacity.Tolerate = n } }
	workload := func(n int) change {
		return func(c *inventory.Cluster) { c.Capacity.Workloads = []inventory.Workload{{Name: "web", Replicas: n}} }
	}
	reflectors := func(names ...string) change {
		return func(c *inventory.Cluster) {
			c.Calico.Topology, c.Calico.RouteReflectors = inventory.TopologyRouteReflectors, names
		}
	}
	bigip := func(peers, routes int) change {
		return func(c *inventory.Cluster) {
			c.BigIPs = []inventory.BigIP{{Name: "f5", MaxPeers: peers, MaxRoutes: routes}, {Name: "f5-unknown"}}
		}
	}
	return []row{
		{"one master", masters("a"), "master-count", Warn},
		{"two masters", masters("a", "b"), "master-count", Fail},
		{"three masters", masters(abc()...), "master-count", Pass},
		{"four masters", masters("a", "b", "c", "d"), "master-count", Warn},
		{"seven masters", masters("a", "b", "c", "d", "e", "f", "g"), "master-count", Pass},
		{"nine masters", masters("a", "b", "c", "d", "e", "f", "g", "h", "i"), "master-count", Warn},

		{"one master", masters("a"), "quorum-domain", ""},
		{"three domains", masters(abc()...), "quorum-domain", Pass},
		{"2 of 3 on one domain", masters("a", "a", "b"), "quorum-domain", Fail},
		{"3 of 3 on one domain", masters("a", "a", "a"), "quorum-domain", Fail},
		{"2 of 5 on one domain", masters("a", "a", "b", "b", "c"), "quorum-domain", Pass},
		{"3 of 5 on one domain", masters("a", "a", "a", "b", "c"), "quorum-domain", Fail},
		{"one unknown", masters("a", "b", ""), "quorum-domain", Warn},
		{"all unknown", masters("", "", ""), "quorum-domain", Warn},
		{"unknown, and 2 of 3 together", masters("a", "a", ""), "quorum-domain", Fail},
		{"two may be lost of five", three(1, func(c *inventory.Cluster) { *c = *masters("a", "b", "c", "d", "e") }, tolerate(2)), "quorum-domain", Pass},
		{"two may be lost of three", three(1, tolerate(2)), "quorum-domain", Fail},
		{"none may be lost", three(1, func(c *inventory.Cluster) { *c = *masters("a", "a", "b") }, tolerate(0)), "quorum-domain", Warn},

		{"all known", three(3), "failure-domains", Pass},
		{"one unknown", three(3, func(c *inventory.Cluster) { c.KubeNodes[1].FailureDomain = "" }), "failure-domains", Warn},
		{"none may be lost", three(3, tolerate(0)), "failure-domains", ""},

		{"/28", three(1, serviceCIDR("10.101.0.0/28")), "service-cidr", Pass},
		{"/29", three(1, serviceCIDR("10.101.0.0/29")), "service-cidr", Fail},
		{"/12", three(1, serviceCIDR("10.96.0.0/12")), "service-cidr", Pass},
		{"/11", three(1, serviceCIDR("10.96.0.0/11")), "service-cidr", Fail},

		// 110 pods take 2 blocks of 64; a /22 has 16 of them, four fifths are 12.
		{"below", three(3, podCIDR("10.100.0.0/22")), "pod-blocks", Pass},
		{"above four fifths", three(4, podCIDR("10.100.0.0/22")), "pod-blocks", Warn},
		{"at the limit", three(5, podCIDR("10.100.0.0/22")), "pod-blocks", Warn},
		{"above", three(6, podCIDR("10.100.0.0/22")), "pod-blocks", Fail},
		{"64 pods take one block", three(6, podCIDR("10.100.0.0/22"), maxPods(64)), "pod-blocks", Pass},
		{"65 pods take two", three(6, podCIDR("10.100.0.0/22"), maxPods(65)), "pod-blocks", Fail},

		{"20 blocks of /30", three(1, maxPods(80), func(c *inventory.Cluster) { c.Calico.BlockSize = 30 }), "pod-addresses-per-host", Pass},
		{"more", three(1, maxPods(81), func(c *inventory.Cluster) { c.Calico.BlockSize = 30 }), "pod-addresses-per-host", Fail},
		{"1 block of /26 = 64", three(1, maxPods(64), func(c *inventory.Cluster) { c.Calico.MaxBlocksPerHost = 1 }), "pod-addresses-per-host", Pass},
		{"110 on 1 block of /26 = 64", three(1, maxPods(110), func(c *inventory.Cluster) { c.Calico.MaxBlocksPerHost = 1 }), "pod-addresses-per-host", Fail},
		{"110 on 2 blocks of /26 = 128", three(1, maxPods(110), func(c *inventory.Cluster) { c.Calico.MaxBlocksPerHost = 2 }), "pod-addresses-per-host", Pass},
		{"110", three(1), "pods-per-host", Pass},
		{"111", three(1, maxPods(111)), "pods-per-host", Warn},
		{"5000", three(4997), "cluster-hosts", Pass},
		{"5001", three(4998), "cluster-hosts", Warn},
		{"150000", three(1, workload(150_000)), "cluster-pods", Pass},
		{"150001", three(1, workload(150_001)), "cluster-pods", Warn},

		{"79", three(76), "mesh-size", Pass},
		{"80", three(77), "mesh-size", Warn},
		{"100", three(97), "mesh-size", Warn},
		{"101", three(98), "mesh-size", Fail},
		{"no mesh", three(98, reflectors("n1")), "mesh-size", ""},

		{"mesh", three(2), "route-reflectors", ""},
		{"one", three(2, reflectors("n1")), "route-reflectors", Warn},
		{"two domains", three(2, reflectors("n1", "n2")), "route-reflectors", Pass},
		{"one domain", three(4, reflectors("n1", "n4")), "route-reflectors", Warn},

		{"not known", three(2), "bigip-sessions", ""},
		{"four fifths", three(5, bigip(10, 0)), "bigip-sessions", Pass},
		{"above four fifths", three(6, bigip(10, 0)), "bigip-sessions", Warn},
		{"at the limit", three(7, bigip(10, 0)), "bigip-sessions", Warn},
		{"above", three(8, bigip(10, 0)), "bigip-sessions", Fail},

		{"not known", three(2, bigip(10, 0)), "bigip-routes", ""},
		{"8 hosts have 17 routes, below", three(5, bigip(0, 22)), "bigip-routes", Pass},
		{"above four fifths", three(5, bigip(0, 21)), "bigip-routes", Warn},
		{"at the limit", three(5, bigip(0, 17)), "bigip-routes", Warn},
		{"above", three(5, bigip(0, 16)), "bigip-routes", Fail},

		{"nothing declared", three(3), "workload-addresses", ""},
		{"four fifths of /24", three(3, podCIDR("10.100.0.0/24"), workload(202)), "workload-addresses", Pass},
		{"above four fifths", three(3, podCIDR("10.100.0.0/24"), workload(203)), "workload-addresses", Warn},
		{"at the limit", three(3, podCIDR("10.100.0.0/24"), workload(254)), "workload-addresses", Warn},
		{"above", three(3, podCIDR("10.100.0.0/24"), workload(255)), "workload-addresses", Fail},

		// Three nodes with room for 109 pods each, of which one may be lost; CoreDNS takes 2.
		{"nothing declared", three(3), "workload-pods", ""},
		{"four fifths", three(3, workload(172)), "workload-pods", Pass},
		{"above four fifths", three(3, workload(173)), "workload-pods", Warn},
		{"at the limit", three(3, workload(216)), "workload-pods", Warn},
		{"above", three(3, workload(217)), "workload-pods", Fail},
		{"none may be lost", three(3, workload(217), tolerate(0)), "workload-pods", Pass},
		{"all may be lost", three(3, workload(1), tolerate(3)), "workload-pods", Fail},
		{"more than all may be lost", three(3, workload(1), tolerate(9)), "workload-pods", Fail},
		{"tainted nodes do not count", three(3, workload(172), func(c *inventory.Cluster) {
			c.KubeNodes[2].Taints = []inventory.Taint{{Key: "gpu", Effect: "NoSchedule"}}
		}), "workload-pods", Fail},
		{"preferring others does not close a node", three(3, workload(172), func(c *inventory.Cluster) {
			c.KubeNodes[2].Taints = []inventory.Taint{{Key: "old", Effect: "PreferNoSchedule"}}
		}), "workload-pods", Pass},
	}
}

// checkFields: a check without its figures, or a failure without a way out, helps no one.
func checkFields(t *testing.T, c Check) {
	t.Helper()
	if c.ID == "" || c.Measured == "" || c.Threshold == "" || c.Formula == "" || c.Source == "" || c.At == nil {
		t.Errorf("incomplete: %+v", c)
	}
	if (c.Fix == "") != (c.Status == Pass) {
		t.Errorf("%s with fix %q: %s", c.Status, c.Fix, c.ID)
	}
}

// What a fix tells to do is not warned of in turn.
func TestMastersToUse(t *testing.T) {
	for n, want := range map[int]string{4: "use 3 or 5 masters", 6: "use 5 or 7 masters", 8: "use at most 7 masters", 10: "use at most 7 masters"} {
		if c := masterCount(sized(make([]string, n), 0))[0]; c.Status != Warn || !strings.HasPrefix(c.Fix, want) {
			t.Errorf("%d masters: %s: %s", n, c.Status, c.Fix)
		}
	}
}

func TestProblems(t *testing.T) {
	checks := Tier0(sized([]string{"a", "a", "b"}, 90))
	if got := Worst(checks); got != Fail {
		t.Errorf("got %s", got)
	}
	var b strings.Builder
	for _, p := range Problems(checks) {
		p.At = nil
		if err := (diag.Problems{p}).Render(&b); err != nil {
			t.Fatal(err)
		}
	}
	want := `error: capacity quorum-domain: 2 of 3 masters in failure domain a (threshold: 1)
  masters in the largest 1 failure domain ≤ ⌊(masters − 1) / 2⌋ (etcd: a quorum is more than half of the members)
  fix: spread the masters over more failure domains
warning: capacity mesh-size: 93 hosts, 4278 sessions (threshold: 100 hosts, warning from 80)
  hosts in the mesh; sessions = hosts × (hosts − 1) / 2 (Calico: full mesh up to about 100 nodes; the warning is drover's)
  fix: plan for topology = "route_reflectors"; drover never switches by itself
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got := Worst(nil); got != Pass {
		t.Errorf("nothing is %s", got)
	}
}

// The examples are what people start from: nothing in them may fail.
func TestExamples(t *testing.T) {
	for _, path := range []string{"lab/inventory.hcl", "production"} {
		c, problems := inventory.Load("../../../examples/" + path)
		if c == nil {
			t.Fatal(problems)
		}
		checks := Tier0(c)
		if w := Worst(checks); w != Pass {
			t.Errorf("%s: %s: %v", path, w, Problems(checks))
		}
		for _, check := range checks {
			checkFields(t, check)
			if check.At.File == "" || check.At.Start.Line == 0 {
				t.Errorf("%s: %s stands nowhere", path, check.ID)
			}
		}
	}
}
