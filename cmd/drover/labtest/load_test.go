package labtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// stayer is the node that stays while others come and go.
const stayer = "kube-node-1"

// loadEvery is how often a client behind a router opens a new connection: to a service,
// and as often to pods that stay.
const loadEvery = 20 * time.Millisecond

// load puts the service that was deployed, and the cluster, under the load of a client
// behind each router and of one of the API. The clients open connections all
// the time, to the service and to pods that stay; each has two seconds to be answered,
// and none is asked twice. They hold some open as well. The end of it fails when one was
// not answered, or a write not confirmed; connections to the service that did not outlive
// what was done are told.
func (c *cluster) load(t *testing.T) (end func(*testing.T)) {
	t.Helper()
	service := c.kubectl(t, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
	stay := c.stable(t)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var asked []*asking
	var held []*holding
	var wg sync.WaitGroup
	then := sync.OnceValue(func() string { return c.paths() })
	for _, router := range c.routers() {
		from := router + "-client"
		for _, to := range [][]string{{service}, stay} {
			a := &asking{name: from + " asks " + strings.Join(to, ", "), to: to, client: c.clientAt(from), amiss: then}
			asked = append(asked, a)
			wg.Go(func() { a.run(ctx) })
		}
		for i, to := range append([]string{service}, stay...) {
			h := &holding{name: from + " keeps asking " + to, mortal: i == 0}
			h.dial = func(ctx context.Context) (net.Conn, error) { return dialIn(ctx, c.lab, from, "tcp", withPort(to)) }
			held = append(held, h)
			wg.Go(func() { h.run(ctx) })
		}
	}
	name := "usual" + fmt.Sprint(time.Now().Unix())
	w := c.write(t, stayer, name)
	return func(t *testing.T) {
		t.Helper()
		cancel()
		wg.Wait()
		done, retried, failed := w.stop()
		t.Logf("%d writes, each read again, %d of them again after a refused connection or a lost lead", done, retried)
		for _, f := range failed {
			t.Errorf("a write failed: %s", f)
		}
		var config struct{ Data map[string]string }
		c.get(t, &config, "configmap", "labtest-"+name)
		if got := config.Data["n"]; len(failed) == 0 && got != fmt.Sprint(done-1) {
			t.Errorf("the last write that was confirmed is %d, and the API has %s", done-1, got)
		}
		for _, a := range asked {
			a.tell(t)
		}
		for _, h := range held {
			h.tell(t)
		}
	}
}

// paths are the ways to the service, as who takes part in them sees them at the moment.
func (c *cluster) paths() string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	text := time.Now().Format("15:04:05.000\n")
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o", `jsonpath={range .items[*].endpoints[*]}{.addresses} on {.nodeName}: {.conditions}{"\n"}{end}`},
	} {
		out, err := labkit.Command(ctx, c.kubectlPath, c.kubectlArgs(args...)...).CombinedOutput()
		text += fmt.Sprintln(string(out), err)
	}
	for _, router := range c.routers() {
		out, err := c.try(ctx, router, "ip route")
		text += fmt.Sprintln(router, out, err)
	}
	out, err := c.try(ctx, stayer, "ip route; iptables-save -t nat | grep -e 'default/web'; nft list ruleset | grep -e 'default/web'; true")
	return text + fmt.Sprintln(stayer, out, err)
}

// stable are the addresses of two pods on the node that stays.
func (c *cluster) stable(t *testing.T) (addresses []string) {
	t.Helper()
	var all []any
	for n := range 2 {
		all = append(all, map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": fmt.Sprintf("stable-%d", n), "labels": map[string]string{"stable": "yes"}},
			"spec": map[string]any{"nodeName": stayer, "containers": []any{c.web(t)}},
		})
	}
	c.kubectlIn(t, list(t, all), "apply", "-f", "-")
	c.kubectl(t, "wait", "--for=condition=Ready", "pods", "-l", "stable", "--timeout=90s", "--request-timeout=100s")
	for _, ip := range strings.Fields(c.kubectl(t, "get", "pods", "-l", "stable", "-o", "jsonpath={.items[*].status.podIP}")) {
		addresses = append(addresses, ip+":8080")
	}
	return addresses
}

// clientAt is an HTTP client on a machine that opens a connection for each request.
func (c *cluster) clientAt(from string) *http.Client {
	return &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialIn(ctx, c.lab, from, network, addr)
		},
	}}
}

// withPort is an address with HTTP's own port if it has none.
func withPort(to string) string {
	if strings.Contains(to, ":") {
		return to
	}
	return to + ":80"
}

// asking asks some addresses in turn, each time on a new connection.
type asking struct {
	name   string
	to     []string
	client *http.Client
	amiss  func() string // how it was when something was not answered for the first time

	mu     sync.Mutex
	asked  int
	took   time.Duration // the longest
	failed []string
}

func (a *asking) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(loadEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			wg.Go(func() { a.once(a.to[n%len(a.to)]) })
		}
	}
}

func (a *asking) once(to string) {
	at := time.Now()
	err := askOnce(context.Background(), a.client, to)
	took := time.Since(at)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	a.took = max(a.took, took)
	if err != nil {
		a.failed = append(a.failed, at.Format("15:04:05.000 ")+err.Error())
		go a.amiss()
	}
}

func (a *asking) tell(t *testing.T) {
	t.Helper()
	t.Logf("%s: %d times, answered within %s", a.name, a.asked, a.took.Round(time.Millisecond))
	const most = 20
	for _, text := range a.failed[:min(len(a.failed), most)] {
		t.Errorf("%s: not answered: %s", a.name, text)
	}
	if len(a.failed) > 0 {
		t.Logf("then:\n%s", a.amiss())
	}
	if more := len(a.failed) - most; more > 0 {
		t.Errorf("%s: and %d more times not answered", a.name, more)
	}
	if a.asked < 100 {
		t.Errorf("%s: only %d times", a.name, a.asked)
	}
}

// holding asks on one connection for as long as that lasts; mortal is one that may end,
// as what answers may move. It is no http.Client, which has reasons of its own to open
// another.
type holding struct {
	name   string
	mortal bool
	dial   func(context.Context) (net.Conn, error)

	opened, asked int
	ends          []string
}

func (h *holding) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.hold(ctx); err != nil && ctx.Err() == nil {
			h.ends = append(h.ends, time.Now().Format("15:04:05.000 ")+err.Error())
		}
		pause(ctx)
	}
}

// hold asks until the connection ends.
func (h *holding) hold(ctx context.Context) error {
	h.opened++
	soon, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := h.dial(soon)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for ; ctx.Err() == nil; pause(ctx) {
		// What is sent once more takes the way that there is then.
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := io.WriteString(conn, "GET /hostname HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
			return err
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		h.asked++
	}
	return nil
}

func pause(ctx context.Context) {
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (h *holding) tell(t *testing.T) {
	t.Helper()
	t.Logf("%s: %d times on %d connections; ended: %s", h.name, h.asked, h.opened, strings.Join(h.ends, "; "))
	if !h.mortal && len(h.ends) > 0 {
		t.Errorf("%s: a connection to a pod that stays was lost: %s", h.name, strings.Join(h.ends, "; "))
	}
}

func askOnce(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+withPort(address)+"/hostname", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
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

// deploy has replicas of a web server run, spread over the nodes, of which so many
// have to be available, with a service before them.
func (c *cluster) deploy(t *testing.T, replicas, available int) {
	t.Helper()
	labels := map[string]string{"app": "web"}
	c.kubectlIn(t, list(t, []any{
		deployment("web", replicas, c.web(t)),
		map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "web"}, "spec": map[string]any{
			"selector": labels, "ports": []any{map[string]any{"port": 80, "targetPort": 8080}},
		}},
		map[string]any{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": map[string]any{"name": "web"}, "spec": map[string]any{
			"minAvailable": available, "selector": map[string]any{"matchLabels": labels},
		}},
	}), "apply", "-f", "-")
	c.kubectl(t, "rollout", "status", "deployment/web", "--timeout=90s", "--request-timeout=100s")
	if slices.Contains(c.nodes(), guest) && !strings.Contains(c.kubectl(t, "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}"), guest) {
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

// deployment has replicas of a container run, spread over the nodes.
func deployment(name string, replicas int, container map[string]any) map[string]any {
	labels := map[string]string{"app": name}
	return map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name}, "spec": map[string]any{
		"replicas": replicas, "selector": map[string]any{"matchLabels": labels},
		"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": map[string]any{
			"terminationGracePeriodSeconds": 20,
			"topologySpreadConstraints": []any{map[string]any{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
				"labelSelector": map[string]any{"matchLabels": labels}}},
			"containers": []any{container},
		}},
	}}
}

// web is a container that answers who it is, and until every node knows that it is no
// longer to be asked. It asks for some CPU, as what serves does: who asks for none may get
// none for seconds while all of a lab's machines start programs on the same cores.
func (c *cluster) web(t *testing.T) map[string]any {
	t.Helper()
	return map[string]any{
		"name": "netexec", "image": c.Components(t).Image(t, "registry.k8s.io/e2e-test-images/agnhost").Name, "args": []string{"netexec", "--http-port=8080"},
		"resources":      map[string]any{"requests": map[string]any{"cpu": "50m"}},
		"readinessProbe": map[string]any{"httpGet": map[string]any{"path": "/healthz", "port": 8080}, "periodSeconds": 1},
		"lifecycle":      map[string]any{"preStop": map[string]any{"sleep": map[string]any{"seconds": 5}}},
	}
}

// list is a manifest of several objects.
func list(t *testing.T, objs []any) string {
	t.Helper()
	manifest, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objs})
	if err != nil {
		t.Fatal(err)
	}
	return string(manifest)
}
