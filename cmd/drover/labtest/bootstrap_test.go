package labtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// From bare machines to a cluster whose pods are reachable from behind the BIG-IP.
func TestBootstrap(t *testing.T) {
	c := shared(t)
	c.works(t)
	c.inSync(t)
}

// works shows that a cluster is what its inventory says and does what it is for.
func (c *cluster) works(t *testing.T) {
	t.Run("nodes are Ready", now(c.nodesReady))
	t.Run("etcd has the masters", now(c.etcdMembers))
	c.serve(t)
	t.Run("names resolve from a pod", now(c.namesResolve))
	t.Run("name servers are on hosts of their own", soon(c.namesSpread))
	t.Run("routers have the routes", soon(c.routesHeld))
	t.Run("clients reach pods", soon(c.clientsReachPods))
}

// check looks once; its error is what is not as it should be.
type check func(t *testing.T) error

// now is a test of what has to be so when apply ends.
func now(c check) func(*testing.T) {
	return func(t *testing.T) {
		if err := c(t); err != nil {
			t.Error(err)
		}
	}
}

// soon is a test of what others make of it: routers, and who is behind them.
func soon(c check) func(*testing.T) {
	return func(t *testing.T) {
		labkit.Await(t, 30*time.Second, "as it should be", func() error { return c(t) })
	}
}

type object struct {
	APIVersion string
	Kind       string
	Metadata   struct {
		Name, Namespace, UID, ResourceVersion string
		Generation                            int64
		Labels                                map[string]string
	}
	Spec   map[string]any
	Status map[string]any
}

type objects struct{ Items []object }

func (c *cluster) nodesReady(t *testing.T) error { return c.nodesReadyWithout(t, "") }

// nodesReadyWithout is nil when all nodes are Ready but the one that is off.
func (c *cluster) nodesReadyWithout(t *testing.T, off string) error {
	var nodes objects
	c.get(t, &nodes, "nodes")
	got := map[string]string{}
	for _, n := range nodes.Items {
		conditions, _ := n.Status["conditions"].([]any)
		for _, item := range conditions {
			if condition, _ := item.(map[string]any); condition["type"] == "Ready" {
				got[n.Metadata.Name], _ = condition["status"].(string)
			}
		}
	}
	want := map[string]string{}
	for _, h := range c.hosts() {
		want[h] = "True"
	}
	if off != "" {
		want[off] = "Unknown"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("nodes that are Ready (-want +got):\n%s", diff)
	}
	return nil
}

// etcdctl is how a master's own etcd is asked.
const etcdctl = "/opt/drover/etcd/current/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt " +
	"--cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt --key=/etc/kubernetes/pki/etcd/healthcheck-client.key "

func (c *cluster) etcdMembers(t *testing.T) error {
	var members struct {
		Members []struct {
			Name       string
			IsLearner  bool
			ClientURLs []string
		}
	}
	out, err := c.try(t.Context(), "kube-master-1", etcdctl+"member list -w json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &members)
	}
	if err != nil {
		return err
	}
	var got []string
	for _, m := range members.Members {
		got = append(got, m.Name)
		if m.IsLearner {
			err = fmt.Errorf("%q is a learner", m.Name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(c.masters(), got); diff != "" {
		err = errors.Join(err, fmt.Errorf("etcd's members (-want +got):\n%s", diff))
	}
	_, health := c.try(t.Context(), "kube-master-1", etcdctl+"endpoint health --cluster")
	return errors.Join(err, health)
}

// serve puts a pod that answers on every node, and a service before each.
func (c *cluster) serve(t *testing.T) {
	t.Helper()
	var all []map[string]any
	agnhost := c.Components(t).Image(t, "registry.k8s.io/e2e-test-images/agnhost").Name
	for _, node := range c.nodes() {
		meta := map[string]any{"name": "on-" + node, "labels": map[string]string{"on": node}}
		all = append(all, map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": meta,
			"spec": map[string]any{
				"nodeName": node, "terminationGracePeriodSeconds": 0,
				"containers": []any{map[string]any{"name": "netexec", "image": agnhost, "args": []string{"netexec", "--http-port=8080"}}},
			},
		}, map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": meta,
			"spec": map[string]any{
				"selector": map[string]string{"on": node},
				"ports":    []any{map[string]any{"port": 80, "targetPort": 8080}},
			},
		})
	}
	manifest, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": all})
	if err != nil {
		t.Fatal(err)
	}
	c.kubectlIn(t, string(manifest), "apply", "-f", "-")
	c.kubectl(t, "wait", "--for=condition=Ready", "pods", "-l", "on", "--timeout=90s", "--request-timeout=100s")
}

// A pod asks the cluster's name service: a name that exists leads somewhere, and
// one that does not is denied by it. Names end with a dot, so that a name service that
// is away is not waited for in each search domain.
func (c *cluster) namesResolve(t *testing.T) error {
	var errs []error
	for _, node := range c.nodes() {
		connect := func(to string) labkit.Result {
			return c.tryKubectl(t, "", "exec", "on-"+node, "--", "/agnhost", "connect", "--timeout=10s", to)
		}
		if r := connect("kubernetes.default.svc.cluster.local.:443"); r.Code != 0 {
			errs = append(errs, fmt.Errorf("from a pod on %s: %s", node, r))
			continue // it would take as long again
		}
		if r := connect("nosuch.default.svc.cluster.local.:443"); r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, "no such host") {
			errs = append(errs, fmt.Errorf("from a pod on %s, a name that nobody has: %s", node, r))
		}
	}
	return errors.Join(errs...)
}

// namesSpread: with one host not all name servers are gone.
func (c *cluster) namesSpread(t *testing.T) error {
	at := strings.Fields(c.kubectl(t, "get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "-o", "jsonpath={.items[*].spec.nodeName}"))
	slices.Sort(at)
	if len(at) != 2 || at[0] == at[1] {
		return fmt.Errorf("they are on %q", at)
	}
	return nil
}

// Each router holds every kube-node's block by that node alone, and the service
// addresses from the kube-nodes alone.
func (c *cluster) routesHeld(t *testing.T) error { return c.routesHeldWithout(t, "") }

// routesHeldWithout is routesHeld of all hosts but one, whose blocks may be there
// or not.
func (c *cluster) routesHeldWithout(t *testing.T, off string) error {
	var errs []error
	blocks := c.blocks(t)
	want := map[string][]string{serviceCIDR: nil}
	for _, node := range c.nodes() {
		if len(blocks[node]) == 0 {
			errs = append(errs, fmt.Errorf("%s has no block", node))
		}
		want[serviceCIDR] = append(want[serviceCIDR], c.at(node))
	}
	slices.Sort(want[serviceCIDR])
	for host, own := range blocks { // masters that carry pods have blocks, too
		for _, b := range own {
			if !strings.HasSuffix(b, "/26") {
				errs = append(errs, fmt.Errorf("%s has block %s", host, b))
			}
			want[b] = []string{c.at(host)}
		}
	}
	for _, router := range c.routers() {
		got := c.routes(t, router)
		for _, b := range blocks[off] {
			delete(want, b)
			delete(got, b)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			errs = append(errs, fmt.Errorf("%s has the routes (-want +got):\n%s", router, diff))
		}
	}
	return errors.Join(errs...)
}

// blocks are each host's confirmed address blocks.
func (c *cluster) blocks(t *testing.T) map[string][]string {
	t.Helper()
	var affinities objects
	c.get(t, &affinities, "blockaffinities.crd.projectcalico.org")
	found := map[string][]string{}
	for _, a := range affinities.Items {
		node, _ := a.Spec["node"].(string)
		block, _ := a.Spec["cidr"].(string)
		if a.Spec["state"] == "confirmed" {
			found[node] = append(found[node], block)
		}
	}
	return found
}

// routes are all paths a router has, chosen or not: the next hops by prefix.
func (c *cluster) routes(t *testing.T, router string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	var prefix string
	for line := range strings.Lines(c.Must(t, "router", router, "show", "ip", "bgp")) {
		if len(line) < 4 || !strings.Contains(line[:3], "*") && prefix == "" {
			continue
		}
		fields := strings.Fields(line[3:])
		if strings.Contains(line[:3], "*") && len(fields) > 0 {
			if p, err := netip.ParsePrefix(fields[0]); err == nil {
				prefix, fields = p.String(), fields[1:]
			}
		}
		if len(fields) == 0 { // the next hop is on the next line
			continue
		}
		if hop, err := netip.ParseAddr(fields[0]); err == nil {
			found[prefix] = append(found[prefix], hop.String())
			slices.Sort(found[prefix])
		}
	}
	return found
}

// A client behind each router reaches a pod on each node, by the pod's own
// address and by its service's.
func (c *cluster) clientsReachPods(t *testing.T) error {
	var errs []error
	for _, node := range c.nodes() {
		for _, to := range c.ways(t, node) {
			for _, router := range c.routers() {
				got, err := c.try(t.Context(), router+"-client", "curl -sS -m 5 http://"+to+"/hostname")
				if err == nil && got != "on-"+node {
					err = fmt.Errorf("%q answered", got)
				}
				if err != nil {
					errs = append(errs, fmt.Errorf("%s-client asks the pod on %s by %s: %w", router, node, to, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// ways are where a node's pod answers.
func (c *cluster) ways(t *testing.T, node string) []string {
	t.Helper()
	return []string{
		c.kubectl(t, "get", "pod", "on-"+node, "-o", "jsonpath={.status.podIP}") + ":8080",
		c.kubectl(t, "get", "service", "on-"+node, "-o", "jsonpath={.spec.clusterIP}"),
	}
}
