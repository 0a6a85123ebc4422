package labtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// cluster is a lab with the inventory that drover works from.
type cluster struct {
	lab
	shape
	kubectlPath string
	booted      time.Duration // how long the first apply took
	kinds       []string      // that the API lists
	open        bool          // root is let in
}

// drover runs drover on an inventory, whatever comes of it.
func drover(t testing.TB, path string, args ...string) labkit.Result {
	t.Helper()
	return labkit.Run(t, "", os.Getenv("DROVER"), append([]string{"-i", path}, args...)...)
}

// drover runs drover on the cluster's inventory.
func (c *cluster) drover(t testing.TB, args ...string) labkit.Result {
	t.Helper()
	return drover(t, c.path(), args...)
}

func (c *cluster) path() string { return filepath.Join(labkit.WorkDir(), c.Name+".hcl") }

// set changes the inventory.
func (c *cluster) set(t testing.TB, s shape) {
	t.Helper()
	c.shape = s
	c.inventory(t, c.Name, s)
}

// up makes the cluster's machines; flags are drover-lab's.
func (c *cluster) up(t testing.TB, flags ...string) {
	t.Helper()
	r := c.Run(t, append([]string{"up", c.inventory(t, c.Name, c.shape)}, flags...)...)
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("%d machines up in %s", c.Masters+c.Nodes+c.Routers, r.Took.Round(time.Millisecond))
	// All labs serve the same releases: one lock file is for all inventories.
	if _, err := os.Stat(filepath.Join(labkit.WorkDir(), "artifacts.lock.json")); err != nil {
		if r := c.drover(t, "artifacts", "lock"); r.Code != 0 {
			t.Fatal(r)
		}
	}
	c.kubectlPath = c.Components(t).Artifact(t, "kubectl").File
}

// apply makes the cluster as its inventory says, and has to succeed.
func (c *cluster) apply(t testing.TB) labkit.Result {
	t.Helper()
	r := c.drover(t, "apply", "--auto-approve")
	if r.Code != 0 {
		t.Fatal(r)
	}
	return r
}

// bootstrap makes the cluster and a kubeconfig.
func (c *cluster) bootstrap(t testing.TB) {
	t.Helper()
	r := c.apply(t)
	c.booted = r.Took
	t.Logf("a cluster of %d+%d in %s: %s", c.Masters, c.Nodes, r.Took.Round(time.Millisecond), lastLine(r.Stdout))
	c.login(t)
}

// login writes the kubeconfig that drover gives an operator.
func (c *cluster) login(t testing.TB) {
	t.Helper()
	r := c.drover(t, "kubeconfig")
	if r.Code != 0 {
		t.Fatal(r)
	}
	if err := os.WriteFile(c.kubeconfig(), []byte(r.Stdout), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) kubeconfig() string { return filepath.Join(labkit.WorkDir(), c.Name+".kubeconfig") }

// kubectl runs kubectl, which has to succeed.
func (c *cluster) kubectl(t testing.TB, args ...string) string {
	t.Helper()
	return c.kubectlIn(t, "", args...)
}

func (c *cluster) kubectlIn(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	r := c.tryKubectl(t, stdin, args...)
	if r.Code != 0 {
		t.Fatal(r)
	}
	return strings.TrimSpace(r.Stdout)
}

func (c *cluster) tryKubectl(t testing.TB, stdin string, args ...string) labkit.Result {
	t.Helper()
	return labkit.Run(t, stdin, c.kubectlPath, c.kubectlArgs(args...)...)
}

func (c *cluster) kubectlArgs(args ...string) []string {
	return append([]string{"--kubeconfig", c.kubeconfig(), "--cache-dir", filepath.Join(labkit.WorkDir(), "kube-cache", c.Name), "--request-timeout=20s"}, args...)
}

// get reads objects of the API into v.
func (c *cluster) get(t testing.TB, v any, args ...string) {
	t.Helper()
	out := c.kubectl(t, append([]string{"get", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		t.Fatalf("kubectl get %s: %v", strings.Join(args, " "), err)
	}
}

// planned is what `plan -o json` says.
type planned struct {
	Changes []struct{ ID, Action, Reason string }
	ByHand  []struct {
		BigIP       string
		Missing, Up []string
		Enter       []string
	} `json:"by_hand"`
}

// plan runs plan, whose exit code has to say whether something is pending.
func (c *cluster) plan(t testing.TB) planned {
	t.Helper()
	r := c.drover(t, "plan", "-o", "json")
	var p planned
	if r.Code != 0 && r.Code != 2 {
		t.Fatal(r)
	}
	if err := json.Unmarshal([]byte(r.Stdout), &p); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	if pending := p.pending(); (len(pending) > 0) != (r.Code == 2) {
		t.Errorf("plan: exit %d, and these are pending: %v", r.Code, pending)
	}
	if r.Stderr != "" {
		t.Errorf("plan warns: %s", r.Stderr)
	}
	return p
}

// pending are the actions that do something, by ID.
func (p planned) pending() map[string]string {
	actions := map[string]string{}
	for _, c := range p.Changes {
		if c.Action != "no-op" {
			actions[c.ID] = c.Action
		}
	}
	return actions
}

// expectPlan fails unless exactly these actions are pending; it reports whether
// they are.
func (c *cluster) expectPlan(t testing.TB, want map[string]string) bool {
	t.Helper()
	p := c.plan(t)
	if diff := cmp.Diff(want, p.pending()); diff != "" {
		t.Errorf("plan (-want +got):\n%s\n%+v", diff, slices.DeleteFunc(p.Changes, func(c struct{ ID, Action, Reason string }) bool { return c.Action == "no-op" }))
		return false
	}
	return true
}

// inSync fails unless there is nothing to do.
func (c *cluster) inSync(t testing.TB) {
	t.Helper()
	c.expectPlan(t, map[string]string{})
}

// current is the one cluster whose machines run: two cores carry no two.
var current struct {
	sync.Mutex
	c *cluster
}

// begin takes the lab of an earlier test down and makes the machines of another.
func begin(t testing.TB, l lab, s shape, flags ...string) *cluster {
	t.Helper()
	suite.Need(t)
	current.Lock()
	defer current.Unlock()
	if current.c != nil {
		current.c.Must(t, "down")
	}
	c := &cluster{lab: l, shape: s}
	current.c = c
	c.up(t, flags...)
	return c
}

// shared is the cluster most tests use: one master, one node, one BIG-IP; made by
// the first of them.
func shared(t testing.TB) *cluster {
	t.Helper()
	suite.Need(t)
	current.Lock()
	c := current.c
	current.Unlock()
	if c != nil && c.lab == oneLab {
		if c.booted == 0 {
			t.Fatal("the shared cluster could not be made: see the test that tried first")
		}
		return c
	}
	c = begin(t, oneLab, shape{Masters: 1, Nodes: 1, Routers: 1})
	c.bootstrap(t)
	return c
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
