package labtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// On a cluster that is as the inventory says, apply touches nothing and says so.
func TestApplyAgainChangesNothing(t *testing.T) {
	shared(t).applyAgain(t)
}

func (c *cluster) applyAgain(t *testing.T) {
	before := c.allTraces(t)
	r := c.apply(t)
	t.Logf("an apply with nothing to do: %s", r.Took.Round(time.Millisecond))
	if !strings.Contains(r.Stdout, "nothing to do") {
		t.Errorf("it does not say that there was nothing to do: %s", r)
	}
	expectMoved(t, before, c.allTraces(t), touched{})
	c.inSync(t)
}

// touched is what an apply is to touch: names as in traces.
type touched struct{ files, units, api []string }

// expectMoved fails unless exactly this was touched between two looks. A unit
// that was started leaves a note of what it was started with.
func expectMoved(t *testing.T, before, after traces, want touched) {
	t.Helper()
	files := slices.Clone(want.files)
	for _, u := range want.units {
		host, name, _ := strings.Cut(u, " ")
		files = append(files, host+" /var/lib/drover/started/"+name+".drover")
	}
	units := slices.DeleteFunc(moved(before.units, after.units), func(unit string) bool {
		down := !slices.Contains(want.units, unit) && stoodDown(unit, before.units[unit], after.units[unit])
		if down {
			t.Logf("%s lost its lease meanwhile, and began again", unit)
		}
		return down
	})
	for _, unit := range units {
		if !slices.Contains(want.units, unit) {
			t.Logf("%s: %q before, %q after", unit, before.units[unit], after.units[unit])
		}
	}
	for _, kind := range []struct {
		what      string
		want, got []string
	}{
		{"files written", files, moved(before.files, after.files)},
		{"units started", want.units, units},
		{"objects changed", want.api, moved(before.api, after.api)},
	} {
		slices.Sort(kind.want)
		if diff := cmp.Diff(kind.want, kind.got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind.what, diff)
		}
	}
}

// factFile is where a host tells what drover wants of it, and when that last changed.
const factFile = "/etc/facter/facts.d/drover.json"

// withFacts is a plan and what it is to touch, with the facts of the hosts on which something
// changes: each tells of that.
func (c *cluster) withFacts(plan map[string]string, repair touched) (map[string]string, touched) {
	plan, repair.files = maps.Clone(plan), slices.Clone(repair.files)
	for _, h := range c.hosts() {
		if slices.ContainsFunc(slices.Collect(maps.Keys(plan)), func(id string) bool { return strings.HasPrefix(id, h+"/") }) {
			plan[h+"/fact:drover"] = "update"
			repair.files = append(repair.files, h+" "+factFile)
		}
	}
	return plan, repair
}

// drift is one way in which a cluster can stop being as its inventory says.
type drift struct {
	disturb func(t *testing.T, c *cluster)
	plan    map[string]string // what plan shows, and nothing else
	repair  touched           // what apply then touches, and nothing else
}

// drifts begin with a cluster that is right, and so does what comes after each.
func drifts() map[string]drift {
	on := func(host, script string) func(*testing.T, *cluster) {
		return func(t *testing.T, c *cluster) { c.ssh(t, host, script) }
	}
	return map[string]drift{
		"an edited unit file": {
			disturb: on("kube-master-1", "echo '# edited' >> /etc/systemd/system/kube-scheduler.service"),
			plan: map[string]string{
				"kube-master-1/file:/etc/systemd/system/kube-scheduler.service": "update",
				"kube-master-1/unit:kube-scheduler.service":                     "update", // systemd says so, too
			},
			repair: touched{
				files: []string{"kube-master-1 /etc/systemd/system/kube-scheduler.service"},
				units: []string{"kube-master-1 kube-scheduler.service"},
			},
		},
		"an edited unit file that systemd has read": {
			disturb: on("kube-node-1", "echo '# edited' >> /etc/systemd/system/kube-proxy.service && systemctl daemon-reload"),
			plan: map[string]string{
				"kube-node-1/file:/etc/systemd/system/kube-proxy.service": "update",
				"kube-node-1/unit:kube-proxy.service":                     "restart",
			},
			repair: touched{
				files: []string{"kube-node-1 /etc/systemd/system/kube-proxy.service"},
				units: []string{"kube-node-1 kube-proxy.service"},
			},
		},
		"a deleted certificate": {
			disturb: on("kube-node-1", "rm /etc/kubernetes/pki/kube-proxy.crt"),
			plan: map[string]string{
				"kube-node-1/certificate:kube-proxy":  "create",
				"kube-node-1/unit:kube-proxy.service": "restart", // it reads the certificate
			},
			repair: touched{
				files: []string{"kube-node-1 /etc/kubernetes/pki/kube-proxy.crt", "kube-node-1 /etc/kubernetes/pki/kube-proxy.key"},
				units: []string{"kube-node-1 kube-proxy.service"},
			},
		},
		"a stopped kubelet": {
			disturb: on("kube-node-1", "systemctl stop kubelet"),
			plan:    map[string]string{"kube-node-1/unit:kubelet.service": "update"},
			repair:  touched{units: []string{"kube-node-1 kubelet.service"}},
		},
		// One that belongs to the network namespace: others are the whole machine's.
		"a changed sysctl": {
			disturb: on("kube-node-1", "sysctl -q -w net.ipv4.ip_forward=0"),
			plan:    map[string]string{"kube-node-1/sysctl:kubernetes": "update"},
		},
		"a label removed from a node": {
			disturb: func(t *testing.T, c *cluster) {
				c.kubectl(t, "label", "node", "kube-node-1", "topology.kubernetes.io/zone-")
			},
			plan:   map[string]string{"cluster/node:kube-node-1": "update"},
			repair: touched{api: []string{"Node kube-node-1"}},
		},
		"a deleted BGPPeer": {
			disturb: func(t *testing.T, c *cluster) {
				c.kubectl(t, "delete", "bgppeers.crd.projectcalico.org", "drover-f5-a")
				labkit.Await(t, time.Minute, "the BIG-IP has lost its routes", func() error {
					if got := c.routes(t, "f5-a"); len(got) > 0 {
						return fmt.Errorf("it has %v", got)
					}
					return nil
				})
			},
			plan: map[string]string{
				"cluster/object:BGPPeer drover-f5-a": "create",
				"f5-a/bgp:sessions":                  "update", // what came of it, seen from the far side
			},
			repair: touched{api: []string{"BGPPeer drover-f5-a"}},
		},
		"a foreign BGPPeer": {
			disturb: func(t *testing.T, c *cluster) {
				c.kubectlIn(t, foreignPeer(c), "apply", "-f", "-")
			},
			plan: map[string]string{},
		},
	}
}

// foreignPeer is a peering that drover did not make, with nobody.
func foreignPeer(c *cluster) string {
	return fmt.Sprintf(`{"apiVersion": "crd.projectcalico.org/v1", "kind": "BGPPeer", "metadata": {"name": "labtest-foreign"},
		"spec": {"peerIP": "%s.77", "asNumber": 64999}}`, c.Net)
}

// Whatever stops being as the inventory says, plan shows that and nothing else,
// and apply repairs that and nothing else.
func TestDrift(t *testing.T) {
	c := shared(t)
	c.inSync(t)
	t.Cleanup(func() {
		c.kubectl(t, "delete", "--ignore-not-found", "bgppeers.crd.projectcalico.org", "labtest-foreign")
	})
	for name, d := range drifts() {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() { // the next begins with a cluster that is right
					c.apply(t)
				}
			})
			d.disturb(t, c)
			d.plan, d.repair = c.withFacts(d.plan, d.repair)
			c.expectPlan(t, d.plan)
			before := c.allTraces(t)
			r := c.apply(t)
			expectMoved(t, before, c.allTraces(t), d.repair)
			if len(d.plan) > 0 && !strings.Contains(r.Stdout, fmt.Sprintf("done: %d changes", len(d.plan))) {
				t.Errorf("it made other changes than it had planned: %s", r)
			}
			c.inSync(t)
		})
	}
	if got := c.kubectl(t, "get", "bgppeers.crd.projectcalico.org", "-o", "name"); !strings.Contains(got, "labtest-foreign") {
		t.Errorf("the foreign BGPPeer is gone: %s", got)
	}
}

// A setting of the kubelets restarts the kubelets, and nothing that they run.
func TestMaxPodsRestartsKubeletsOnly(t *testing.T) {
	c := shared(t)
	c.inSync(t)
	const maxPods = 99
	s := c.shape
	s.MaxPods = maxPods
	c.set(t, s)
	want, repair := map[string]string{}, touched{}
	for _, h := range c.hosts() {
		want[h+"/file:/var/lib/kubelet/config.yaml"] = "update"
		want[h+"/unit:kubelet.service"] = "update" // started with other settings than are wanted
		repair.files = append(repair.files, h+" /var/lib/kubelet/config.yaml")
		repair.units = append(repair.units, h+" kubelet.service")
	}
	want, repair = c.withFacts(want, repair)
	c.expectPlan(t, want)
	before, pods := c.allTraces(t), c.containers(t)
	c.apply(t)
	after := c.allTraces(t)
	before.api, after.api = nil, nil // kubelets tell the API that they were away
	expectMoved(t, before, after, repair)
	if diff := cmp.Diff(pods, c.containers(t)); diff != "" {
		t.Errorf("containers (-before +after):\n%s", diff)
	}
	var nodes objects
	c.get(t, &nodes, "nodes")
	for _, n := range nodes.Items {
		if capacity, _ := n.Status["capacity"].(map[string]any); capacity["pods"] != fmt.Sprint(maxPods) {
			t.Errorf("%s: its capacity is %v", n.Metadata.Name, capacity)
		}
	}
	c.inSync(t)
}

// containers are the pods' containers.
func (c *cluster) containers(t *testing.T) []string {
	t.Helper()
	out := c.kubectl(t, "get", "pods", "-A", "-o",
		`jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.status.containerStatuses[*].containerID}{"\n"}{end}`)
	lines := strings.Split(out, "\n")
	slices.Sort(lines)
	return lines
}
