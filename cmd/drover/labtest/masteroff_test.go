package labtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// bootstrapWithoutANode shows that a node that is dead when a cluster begins stops
// nobody else.
func (c *cluster) bootstrapWithoutANode(t *testing.T) {
	const off = "kube-node-2"
	c.Must(t, "power", "kill", off)
	r := c.drover(t, "apply", "--auto-approve")
	t.Logf("a cluster without %s in %s", off, r.Took.Round(time.Millisecond))
	if r.Code != 69 || !strings.Contains(r.Stdout, "left out: "+off+" could not be reached") || !strings.Contains(r.Stdout, "\ndone: ") {
		t.Fatalf("want all but %s done, and exit 69: %s", off, r)
	}
	c.login(t)
	if err := c.nodesReadyWithout(t, off); err != nil {
		t.Error(err)
	}
	c.Must(t, "power", "on", off)
}

// masterOff shows that a cluster goes on without one of its masters, that apply
// does the rest meanwhile and nothing that would cost the quorum, and that the
// next one finishes when the master is back.
func (c *cluster) masterOff(t *testing.T) {
	const off = "kube-master-1" // the one that the operator's kubeconfig names
	rest := slices.DeleteFunc(c.hosts(), func(h string) bool { return h == off })
	c.Must(t, "power", "off", off)
	c.login(t) // at another master, then
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"the API answers at each host's own endpoint", func(t *testing.T) { c.endpointsAnswer(t, rest) }},
		{"clients reach pods", soon(c.clientsReachPods)},
		{"routers have the others' routes", soon(func(t *testing.T) error { return c.routesHeldWithout(t, off) })},
		{"names resolve from a pod", func(t *testing.T) {
			// A name server that went with the master is asked until it is known to be gone.
			labkit.Await(t, 2*time.Minute, "names to resolve", func() error {
				err := c.namesResolve(t)
				if err != nil {
					err = fmt.Errorf("%w\n%s", err, c.nameServers(t))
				}
				return err
			})
		}},
		{"a new pod is scheduled", c.podIsScheduled},
		{"apply does the rest", func(t *testing.T) { c.applyWithout(t, off, rest) }},
		{"apply finishes when it is back", func(t *testing.T) { c.applyWith(t, off) }},
	} {
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
	}
}

// nameServers is who should answer, as the API and a node's own rules have it.
func (c *cluster) nameServers(t *testing.T) string {
	var said strings.Builder
	for _, ask := range [][]string{
		{"get", "nodes,leases", "-A"},
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "endpointslices", "-n", "kube-system", "-l", "kubernetes.io/service-name=kube-dns", "-o", "yaml"},
	} {
		said.WriteString(c.tryKubectl(t, "", ask...).String() + "\n")
	}
	for _, node := range c.nodes() {
		said.WriteString(node + ":\n" + c.ssh(t, node, "iptables-save -t nat | grep -i dns; nft list ruleset 2>/dev/null | grep -i dns; ip route; journalctl -u kube-proxy -n 20 --no-pager") + "\n")
	}
	return said.String()
}

// endpointsAnswer asks through each host's load balancer, which answers every time,
// within what clients wait for: where all is slow, it may try the dead one first.
func (c *cluster) endpointsAnswer(t *testing.T, hosts []string) {
	for _, h := range hosts {
		client, err := plain(c.config(t, h, endpoint))
		if err != nil {
			t.Fatal(err)
		}
		ask := func() error {
			resp, err := client.Get("https://" + endpoint + "/api/v1/namespaces/default")
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
			return nil
		}
		var slowest time.Duration
		for n := range 30 {
			start := time.Now()
			if err := ask(); err != nil {
				t.Errorf("%s, request %d: %v", h, n+1, err)
			}
			slowest = max(slowest, time.Since(start))
		}
		t.Logf("%s: the slowest of 30 requests took %s", h, slowest.Round(time.Millisecond))
	}
}

func (c *cluster) podIsScheduled(t *testing.T) {
	const name = "labtest-scheduled"
	image := c.Components(t).Image(t, "registry.k8s.io/e2e-test-images/agnhost").Name
	c.kubectl(t, "run", name, "--image="+image, "--restart=Never", "--", "pause")
	c.kubectl(t, "wait", "--for=condition=Ready", "pod/"+name, "--timeout=90s", "--request-timeout=100s")
	c.kubectl(t, "delete", "pod", name, "--now", "--request-timeout=60s")
}

// applyWithout changes what every host has, what every API server has, and what
// etcd has, which cannot be had while a member is missing.
func (c *cluster) applyWithout(t *testing.T, off string, rest []string) {
	s := c.shape
	s.MaxPods = 98
	s.APIServerArgs = map[string]string{"max-requests-inflight": "402"}
	s.EtcdArgs = map[string]string{"max-snapshots": "6"}
	c.set(t, s)
	var repair touched
	for _, h := range rest {
		// Masters tell of what is wanted of them when they have all of it; until then their
		// facts are marked.
		repair.files = append(repair.files, h+" /var/lib/kubelet/config.yaml", h+" "+factFile)
		repair.units = append(repair.units, h+" kubelet.service")
		if strings.HasPrefix(h, "kube-master") {
			repair.files = append(repair.files, h+" /etc/systemd/system/kube-apiserver.service", h+" /etc/systemd/system/etcd.service")
			repair.units = append(repair.units, h+" kube-apiserver.service")
		}
	}
	before := c.hostTraces(t, rest...)
	r := c.drover(t, "apply", "--auto-approve")
	t.Logf("an apply without %s took %s:\n%s", off, r.Took.Round(time.Millisecond), r.Stdout)
	if r.Code != 69 || !strings.Contains(r.Stderr, off+" is left out: ") || !strings.Contains(r.Stdout, "left out: "+off+" could not be reached") {
		t.Errorf("want exit 69, and to be told of %s: %s", off, r)
	}
	for _, h := range rest {
		if why := fmt.Sprintf("%s/unit:etcd.service: etcd.service on %[1]s is left as it is: without it 1 of 3 members answers; quorum is 2: %s does not answer", h, off); strings.HasPrefix(h, "kube-master") && !strings.Contains(r.Stdout, why) {
			t.Errorf("it does not say %q", why)
		}
	}
	expectMoved(t, before, c.hostTraces(t, rest...), repair)
	var nodes objects
	c.get(t, &nodes, "nodes")
	for _, n := range nodes.Items {
		if capacity, _ := n.Status["capacity"].(map[string]any); n.Metadata.Name != off && capacity["pods"] != fmt.Sprint(s.MaxPods) {
			t.Errorf("%s: its capacity is %v", n.Metadata.Name, capacity)
		}
	}
}

func (c *cluster) applyWith(t *testing.T, back string) {
	c.Must(t, "power", "on", back)
	r := c.apply(t)
	t.Logf("the apply after %s was back took %s: %s", back, r.Took.Round(time.Millisecond), lastLine(r.Stdout))
	for _, m := range c.masters() {
		if got := c.ssh(t, m, "tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID etcd)/cmdline | grep max-snapshots"); got != "--max-snapshots=6" {
			t.Errorf("%s: its etcd runs with %q", m, got)
		}
	}
	c.inSync(t)
	now(c.nodesReady)(t)
	now(c.etcdMembers)(t)
	soon(c.routesHeld)(t)
}
