package labtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// guest is the node that comes and goes, and spare a machine that takes its place.
const guest, spare = "kube-node-2", "kube-node-3"

// A master and a node, and a second node that comes and goes, alive and dead, and gets
// another machine. The tests go on from each other.
func TestNodesComeAndGo(t *testing.T) {
	full := shape{Masters: 1, Nodes: 3, Routers: 1}
	c := begin(t, nodesLab, full)
	full.Missing = []string{spare}
	alone, elsewhere := full, full
	alone.Missing = []string{guest, spare}
	elsewhere.At = map[string]string{guest: c.address(spare)}
	full.KnownHosts = c.knownAtAddresses(t, guest, spare)
	elsewhere.KnownHosts = full.KnownHosts
	c.set(t, alone)
	c.bootstrap(t)
	bare, bareSpare := c.disk(t, guest), c.disk(t, spare)
	before := c.known(t)
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"add", func(t *testing.T) { c.set(t, full); c.nodeAdded(t) }},
		{"refusals", c.removalRefused},
		{"remove with pods on it", func(t *testing.T) { c.nodeRemoved(t, alone, bare, before) }},
		{"add again", func(t *testing.T) { c.set(t, full); c.nodeAdded(t) }},
		{"remove a dead one", c.deadNodeRemoved},
		{"it is powered on again", c.deadNodeComesBack},
		{"its host is added anew", c.nodeAdded},
		{"another machine replaces it", func(t *testing.T) {
			c.nodeReplaced(t, elsewhere, c.address(guest), c.address(spare))
			c.isBare(t, guest, bare)
		}},
		{"the first one replaces that", func(t *testing.T) {
			c.nodeReplaced(t, full, c.address(spare), c.address(guest))
			c.isBare(t, spare, bareSpare)
			now(c.routesHeld)(t)
		}},
		{"it dies and a new one replaces it", c.deadNodeReplaced},
		{"remove one that the inventory lacks", func(t *testing.T) { c.set(t, alone); c.unnamedRemoved(t, bare, before) }},
	} {
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
	}
}

// nodeAdded: what add promises is so at the moment it says done, not soon.
func (c *cluster) nodeAdded(t *testing.T) {
	r := c.drover(t, "node", "add", guest, "--auto-approve")
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("added in %s:\n%s%s", r.Took.Round(time.Millisecond), r.Stdout, r.Stderr)
	now(c.nodesReady)(t)
	now(c.routesHeld)(t)
	c.serve(t)
	soon(c.clientsReachPods)(t)
	c.inSync(t)
}

// removalRefused: each refusal names its reason and what does it all the same, and
// touches nothing.
func (c *cluster) removalRefused(t *testing.T) {
	c.deploy(t, 2, 2)
	r := c.drover(t, "node", "remove", guest, "--auto-approve")
	for _, want := range []string{
		"PodDisruptionBudget default/web allows none of its 2 pods to be missing (minAvailable 2)", "--disable-eviction",
		"no controller would make these pods again: default/on-" + guest, "--force",
	} {
		if r.Code != 1 || !strings.Contains(r.Stderr, want) {
			t.Errorf("want exit 1 and %q: %s", want, r)
		}
	}
	for _, call := range [][]string{{"1", "node", "remove", "kube-node-7"}, {"64", "node", "remove", "kube-master-1"}, {"1", "node", "remove", "kube-node-1", guest, "--force", "--disable-eviction"}} {
		if r := c.drover(t, append(call[1:], "--auto-approve")...); fmt.Sprint(r.Code) != call[0] {
			t.Errorf("want exit %s: %s", call[0], r)
		}
	}
	now(c.nodesReady)(t)
	c.inSync(t)
}

// nodeRemoved: a client asks the service all the time while the node goes, and is
// answered. Nothing of the node is left anywhere.
func (c *cluster) nodeRemoved(t *testing.T, alone shape, bare []string, before map[string][]string) {
	c.deploy(t, 2, 1)
	c.kubectl(t, "delete", "pod", "on-"+guest, "--now", "--request-timeout=60s")
	if out := c.kubectl(t, "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}"); !strings.Contains(out, guest) {
		t.Fatalf("no pod is on %s: %s", guest, out)
	}
	shown := c.drover(t, "plan", "--prune", guest)
	if shown.Code != 2 || !strings.Contains(shown.Stdout, "drain:"+guest+": pods is default/web-") || !strings.Contains(shown.Stdout, "- node:"+guest) {
		t.Errorf("the plan does not show it: %s", shown)
	}
	ask := c.askAllTheTime(t, "f5-a-client", c.kubectl(t, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"))
	r := c.drover(t, "node", "remove", guest, "--auto-approve")
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("removed in %s:\n%s", r.Took.Round(time.Millisecond), r.Stdout)
	ask(t)
	c.set(t, alone)
	c.nothingOfTheGuest(t)
	if diff := cmp.Diff(bare, c.disk(t, guest)); diff != "" {
		t.Errorf("%s is not as it was (-before +now):\n%s", guest, diff)
	}
	if diff := cmp.Diff(before, c.known(t)); diff != "" {
		t.Errorf("the cluster knows more or less than before (-before +now):\n%s", diff)
	}
	c.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s", "--request-timeout=70s")
	c.inSync(t)
}

// nothingOfTheGuest: neither the cluster nor the router knows the node.
func (c *cluster) nothingOfTheGuest(t *testing.T) {
	t.Helper()
	if r := c.tryKubectl(t, "", "get", "node", guest); r.Code == 0 || !strings.Contains(r.Stderr, "NotFound") {
		t.Errorf("its Node: %s", r)
	}
	if b := c.blocks(t)[guest]; len(b) > 0 {
		t.Errorf("its blocks: %v", b)
	}
	if pods := c.kubectl(t, "get", "pods", "-A", "--field-selector=spec.nodeName="+guest, "-o", "name"); pods != "" {
		t.Errorf("its pods: %s", pods)
	}
	if text := c.Must(t, "router", "f5-a", "show", "running-config"); strings.Contains(text, c.address(guest)+" ") {
		t.Errorf("the router still knows it:\n%s", text)
	}
	for prefix, hops := range c.routes(t, "f5-a") {
		if slices.Contains(hops, c.address(guest)) {
			t.Errorf("the router has a route to %s by way of it", prefix)
		}
	}
}

// deadNodeRemoved: the plug is pulled, and what ran there runs elsewhere.
func (c *cluster) deadNodeRemoved(t *testing.T) {
	c.deploy(t, 2, 2) // a budget is nothing to the dead
	c.Must(t, "power", "kill", guest)
	if r := c.drover(t, "node", "remove", guest, "--auto-approve"); r.Code != 69 || !strings.Contains(r.Stderr, "--unreachable") {
		t.Errorf("want exit 69 and the flag: %s", r)
	}
	labkit.Await(t, 2*time.Minute, "the cluster to see that it is dead", func() error { return c.nodesReadyWithout(t, guest) })
	r := c.drover(t, "node", "remove", guest, "--auto-approve", "--unreachable")
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("removed in %s:\n%s", r.Took.Round(time.Millisecond), r.Stdout)
	c.nothingOfTheGuest(t)
	c.kubectl(t, "rollout", "status", "deployment/web", "--timeout=60s", "--request-timeout=70s")
}

// deadNodeComesBack: its kubelet runs, with all it had, and comes into nothing.
func (c *cluster) deadNodeComesBack(t *testing.T) {
	c.Must(t, "power", "on", guest)
	labkit.Await(t, 2*time.Minute, "its kubelet to be told that it has no Node", func() error {
		_, err := c.try(t.Context(), guest, "systemctl is-active kubelet && journalctl -b -u kubelet | grep -i 'node.*"+guest+".*not found'")
		return err
	})
	// Long enough for all that tries again to have tried.
	for range 6 {
		c.nothingOfTheGuest(t)
		if out, err := c.try(t.Context(), guest, "pgrep -x bird || true"); err != nil || out != "" {
			t.Errorf("BIRD runs there: %q, %v", out, err)
		}
		time.Sleep(5 * time.Second)
	}
}

// nodeReplaced: a client asks the service all the time while another machine, elsewhere,
// takes the place of one that lives, and is answered. The one before is left as it was
// before it came, and the new one is all that a node is that was added.
func (c *cluster) nodeReplaced(t *testing.T, to shape, from, at string) {
	c.deploy(t, 2, 1)
	c.kubectl(t, "delete", "pod", "on-"+guest, "--now", "--request-timeout=60s", "--ignore-not-found")
	uid := c.kubectl(t, "get", "node", guest, "-o", "jsonpath={.metadata.uid}")
	c.set(t, to)
	shown := c.drover(t, "plan", "--replace", guest)
	for _, want := range []string{"drain:" + guest + ": pods is default/web-", "- former-node:" + guest, "+ node:" + guest, guest + "@" + from, "- reset:drover"} {
		if shown.Code != 2 || !strings.Contains(shown.Stdout, want) {
			t.Errorf("the plan does not show %q: %s", want, shown)
		}
	}
	ask := c.askAllTheTime(t, "f5-a-client", c.kubectl(t, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"))
	r := c.drover(t, "node", "replace", guest, "--auto-approve")
	ask(t)
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("replaced in %s:\n%s%s", r.Took.Round(time.Millisecond), r.Stdout, r.Stderr)
	got := c.kubectl(t, "get", "node", guest, "-o", `jsonpath={.metadata.uid} {.status.addresses[?(@.type=="InternalIP")].address}`)
	if is, address, _ := strings.Cut(got, " "); is == uid || address != at {
		t.Errorf("its Node is %s, and was %s; want it at %s", got, uid, at)
	}
	now(c.nodesReady)(t)
	blocks := c.blocks(t)[guest]
	if len(blocks) == 0 {
		t.Error("it has no block")
	}
	for prefix, hops := range c.routes(t, "f5-a") {
		if slices.Contains(hops, from) || slices.Contains(blocks, prefix) && !slices.Equal(hops, []string{at}) {
			t.Errorf("the router has a route to %s by way of %v", prefix, hops)
		}
	}
	if text := c.Must(t, "router", "f5-a", "show", "running-config"); strings.Contains(text, from+" ") || !strings.Contains(text, at+" ") {
		t.Errorf("the router does not know it by its new address alone:\n%s", text)
	}
	c.serve(t)
	soon(c.clientsReachPods)(t)
	c.inSync(t)
}

// knownAtAddresses is a file like the lab's known_hosts that knows machines by each
// other's names and by their addresses as well: they change places.
func (c *cluster) knownAtAddresses(t *testing.T, machines ...string) string {
	t.Helper()
	known, err := os.ReadFile(filepath.Join(stateDir, c.Name, "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Clone(machines)
	for _, m := range machines {
		names = append(names, c.address(m))
	}
	text := string(known)
	for line := range strings.Lines(string(known)) {
		called, key, _ := strings.Cut(line, " ")
		if slices.ContainsFunc(machines, func(m string) bool { return slices.Contains(strings.Split(called, ","), m) }) {
			text += strings.Join(names, ",") + " " + key
		}
	}
	path := filepath.Join(labkit.WorkDir(), c.Name+".known_hosts")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// isBare: a machine is as it was before drover knew it.
func (c *cluster) isBare(t *testing.T, machine string, bare []string) {
	t.Helper()
	if diff := cmp.Diff(bare, c.disk(t, machine)); diff != "" {
		t.Errorf("%s is not as it was (-before +now):\n%s", machine, diff)
	}
}

// deadNodeReplaced: the plug is pulled and the machine thrown away; from when the
// cluster has seen that, nobody notices how a new one, empty, takes its place. A run
// that is killed on the way is ended by the same command.
func (c *cluster) deadNodeReplaced(t *testing.T) {
	c.deploy(t, 2, 1)
	c.Must(t, "power", "kill", guest)
	if err := os.RemoveAll(filepath.Join(stateDir, c.Name, "machines", guest)); err != nil {
		t.Fatal(err)
	}
	full := c.shape
	machines := full
	machines.Missing = nil
	c.set(t, machines)
	if r := c.Run(t, "up", c.path()); r.Code != 0 {
		t.Fatal(r)
	}
	full.KnownHosts = c.knownAtAddresses(t, guest) // it has another key
	c.set(t, full)
	labkit.Await(t, 3*time.Minute, "the cluster and the router to see that it is dead", func() error {
		if hops := c.routes(t, "f5-a")[serviceCIDR]; slices.Contains(hops, c.address(guest)) {
			return fmt.Errorf("the services are reached by way of %v", hops)
		}
		// It is asked no more when its pods are not ready, a while after its routes went.
		if at := c.kubectl(t, "get", "endpointslices", "-l", "kubernetes.io/service-name=web",
			"-o", "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].nodeName}"); strings.Contains(at, guest) {
			return fmt.Errorf("the service asks pods on %s", at)
		}
		return c.nodesReadyWithout(t, guest)
	})
	ask := c.askAllTheTime(t, "f5-a-client", c.kubectl(t, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"))
	c.killedAt(t, "done cluster/former-node:"+guest, "node", "replace", guest, "--auto-approve")
	r := c.drover(t, "node", "replace", guest, "--auto-approve", "--lock-wait", "3m")
	ask(t)
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("replaced in %s:\n%s%s", r.Took.Round(time.Millisecond), r.Stdout, r.Stderr)
	now(c.nodesReady)(t)
	now(c.routesHeld)(t)
	c.serve(t)
	soon(c.clientsReachPods)(t)
	c.inSync(t)
}

// unnamedRemoved: a missing fragment removes nobody, and the node is removed by its name
// alone, host and all. A run that is killed on the way is ended by the same command.
func (c *cluster) unnamedRemoved(t *testing.T, bare []string, before map[string][]string) {
	if r := c.drover(t, "apply", "--auto-approve"); r.Code != 0 || !strings.Contains(r.Stdout, "nothing to do") || !strings.Contains(r.Stderr, "`drover node remove "+guest+"` removes it") {
		t.Errorf("want nothing done, and to be told how: %s", r)
	}
	args := []string{"node", "remove", guest, "--auto-approve", "--force", "--disable-eviction"}
	b := labkit.Start(t, os.Getenv("DROVER"), append([]string{"-i", c.path()}, args...)...)
	labkit.Await(t, time.Minute, "its host to be reset", func() error {
		if !strings.Contains(b.Stderr.String(), "cluster/drain:"+guest+"  updated") {
			return errors.New(lastLine(b.Stderr.String()))
		}
		return nil
	})
	_ = b.Signal(syscall.SIGKILL)
	t.Logf("killed: %s", b.Result())
	r := c.drover(t, append(args, "--lock-wait", "3m")...)
	if r.Code != 0 {
		t.Fatal(r)
	}
	c.nothingOfTheGuest(t)
	if diff := cmp.Diff(bare, c.disk(t, guest)); diff != "" {
		t.Errorf("%s is not as it was (-before +now):\n%s", guest, diff)
	}
	if diff := cmp.Diff(before, c.known(t)); diff != "" {
		t.Errorf("the cluster knows more or less than before (-before +now):\n%s", diff)
	}
	c.inSync(t)
}

// deploy has replicas of a web server run, spread over the nodes, of which so many
// have to be available, with a service before them.
func (c *cluster) deploy(t *testing.T, replicas, available int) {
	t.Helper()
	labels := map[string]string{"app": "web"}
	image := c.Components(t).Image(t, "registry.k8s.io/e2e-test-images/agnhost").Name
	objs := []any{
		map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web"}, "spec": map[string]any{
			"replicas": replicas, "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": map[string]any{
				"terminationGracePeriodSeconds": 20,
				"topologySpreadConstraints": []any{map[string]any{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
					"labelSelector": map[string]any{"matchLabels": labels}}},
				"containers": []any{map[string]any{
					"name": "netexec", "image": image, "args": []string{"netexec", "--http-port=8080"},
					"readinessProbe": map[string]any{"httpGet": map[string]any{"path": "/healthz", "port": 8080}, "periodSeconds": 1},
					// Until every node knows that it is no longer to be asked.
					"lifecycle": map[string]any{"preStop": map[string]any{"sleep": map[string]any{"seconds": 5}}},
				}},
			}},
		}},
		map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "web"}, "spec": map[string]any{
			"selector": labels, "ports": []any{map[string]any{"port": 80, "targetPort": 8080}},
		}},
		map[string]any{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": map[string]any{"name": "web"}, "spec": map[string]any{
			"minAvailable": available, "selector": map[string]any{"matchLabels": labels},
		}},
	}
	manifest, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objs})
	if err != nil {
		t.Fatal(err)
	}
	c.kubectlIn(t, string(manifest), "apply", "-f", "-")
	c.kubectl(t, "rollout", "status", "deployment/web", "--timeout=90s", "--request-timeout=100s")
	if !strings.Contains(c.kubectl(t, "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}"), guest) {
		c.kubectl(t, "delete", "pods", "-l", "app=web", "--request-timeout=60s") // they came before the guest
		c.kubectl(t, "rollout", "status", "deployment/web", "--timeout=90s", "--request-timeout=100s")
	}
	labkit.Await(t, 30*time.Second, "the budget to be what it is to be", func() error {
		want := fmt.Sprint(replicas - available)
		if got := c.kubectl(t, "get", "pdb", "web", "-o", "jsonpath={.status.disruptionsAllowed}/{.status.currentHealthy}"); got != want+"/"+fmt.Sprint(replicas) {
			return errors.New(got)
		}
		return nil
	})
}

// askAllTheTime has a client ask an address fifty times a second, each time anew and
// never twice; the end of it fails when one was not answered.
func (c *cluster) askAllTheTime(t *testing.T, from, address string) (end func(*testing.T)) {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialIn(ctx, c.lab, from, network, addr)
		},
	}}
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	failed := make(chan string, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var running atomic.Int64
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				for running.Load() > 0 {
					time.Sleep(10 * time.Millisecond)
				}
				return
			case at := <-tick.C:
				running.Add(1)
				go func() {
					defer running.Add(-1)
					asked.Add(1)
					if err := askOnce(client, "http://"+address+"/hostname"); err != nil {
						select {
						case failed <- at.Format("15:04:05.000") + " " + err.Error():
						default:
						}
					}
				}()
			}
		}
	}()
	t.Cleanup(cancel)
	return func(t *testing.T) {
		t.Helper()
		cancel()
		<-done
		close(failed)
		t.Logf("asked %d times", asked.Load())
		for text := range failed {
			t.Errorf("not answered: %s", text)
		}
		if asked.Load() < 100 {
			t.Errorf("asked only %d times", asked.Load())
		}
	}
}

func askOnce(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// disk are the names of a host's files, in the places that drover and what it runs
// write to.
func (c *cluster) disk(t *testing.T, host string) []string {
	t.Helper()
	out := c.ssh(t, host, `find /etc /opt /var/lib /var/log/pods /var/log/containers /run/calico /run/containerd -xdev ! -path '/var/lib/systemd/*' ! -path '/etc/machine-id' -printf '%y %p\n' 2>/dev/null | sort; ls /run/netns; ip -br link | cut -d' ' -f1 | cut -d@ -f1 | sort; true`)
	return strings.Split(out, "\n")
}

// known is what the cluster knows that a node leaves something in.
func (c *cluster) known(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, kind := range []string{"nodes", "blockaffinities.crd.projectcalico.org", "bgppeers.crd.projectcalico.org", "bgpconfigurations.crd.projectcalico.org", "csinodes.storage.k8s.io",
		"certificatesigningrequests.certificates.k8s.io"} {
		found[kind] = strings.Fields(c.kubectl(t, "get", kind, "-o", "jsonpath={.items[*].metadata.name}"))
		slices.Sort(found[kind])
	}
	found["leases"] = strings.Fields(c.kubectl(t, "get", "leases", "-n", "kube-node-lease", "-o", "jsonpath={.items[*].metadata.name}"))
	found["neighbors"] = nil
	for line := range strings.Lines(c.Must(t, "router", "f5-a", "show", "running-config")) {
		if strings.Contains(line, " peer-group ") {
			found["neighbors"] = append(found["neighbors"], strings.TrimSpace(line))
		}
	}
	return found
}
