package labtest

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// One master becomes three, each is replaced, the first as well, and one is left again: the
// quorum of etcd is read through all the time, clients behind the router and one of the API
// do not notice, and no kubelet that there is starts again. drover is killed in the middle,
// and goes on. The tests go on from each other. Without DROVER_SOAK one master is replaced,
// each day another.
func TestMastersGrowAndAreReplaced(t *testing.T) {
	machines := shape{Masters: 3, Nodes: 2, Routers: 1}
	c := begin(t, mastersLab, machines)
	one := machines
	one.Masters = 1
	c.set(t, one)
	bare := c.disk(t, "kube-master-3")
	c.bootstrap(t)
	c.deploy(t, 6, 4)
	before := c.known(t)
	drawn := rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 6)).IntN(3)
	wanted := func(n int) bool { return n == drawn || labkit.Soak() }
	replaced := func(n int) func(*testing.T) {
		return func(t *testing.T) {
			if !wanted(n) {
				t.Skipf("it is %s's turn: each with DROVER_SOAK only", c.masters()[drawn])
			}
			c.masterIsReplaced(t, c.masters()[n])
		}
	}
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"a snapshot", c.snapshotIsTaken},
		{"one becomes three", func(t *testing.T) { c.mastersGrow(t, machines) }},
		{"the first is replaced", replaced(0)},
		{"the second is replaced", replaced(1)},
		{"the third is replaced", replaced(2)},
		{"the second of two that answer stays", c.neededMasterStays},
		{"three become one", func(t *testing.T) {
			asked := 0
			if wanted(0) { // the first master is another machine, and has asked for its certificates anew
				asked = 2
			}
			c.mastersLeave(t, one, bare, before, asked)
		}},
		{"all works", c.works},
	} {
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
	}
}

// snapshotIsTaken shows that what is kept on a master and what comes here are the same
// whole snapshot.
func (c *cluster) snapshotIsTaken(t *testing.T) {
	to := filepath.Join(t.TempDir(), "etcd.db")
	r := c.drover(t, "etcd", "snapshot", "--out", to)
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("in %s:\n%s", r.Took.Round(time.Millisecond), r.Stdout)
	info, err := os.Stat(to)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	here := labkit.Run(t, "", "sha256sum", to)
	there := c.ssh(t, "kube-master-1", "cd /var/lib/drover/etcd-snapshots && stat -c '%a %U' . * && sha256sum etcd-*.db && "+
		"/opt/drover/etcd/current/etcdutl snapshot status etcd-*.db -w json")
	sum, _, _ := strings.Cut(here.Stdout, " ")
	if !strings.Contains(there, sum) || !strings.HasPrefix(there, "700 root\n600 root\n") || !strings.Contains(there, `"revision":`) {
		t.Errorf("here %s\nthere %s", here.Stdout, there)
	}
}

func (c *cluster) mastersGrow(t *testing.T, to shape) {
	c.set(t, to)
	p := c.plan(t).pending()
	for _, m := range c.masters()[1:] {
		for _, id := range []string{"cluster/etcd-snapshot:before " + m, "cluster/etcd-learner:" + m, m + "/unit:etcd.service", "cluster/etcd-vote:" + m, m + "/unit:kube-apiserver.service"} {
			if p[id] != "create" {
				t.Errorf("the plan has %q for %s", p[id], id)
			}
		}
	}
	c.unseen(t, append(c.nodes(), "kube-master-1"), c.masters()[:1], func() {
		c.killedAt(t, "done cluster/etcd-learner:kube-master-2", "apply", "--auto-approve")
		c.killedAt(t, "done cluster/etcd-vote:kube-master-2", "apply", "--auto-approve")
		c.drive(t, "apply", "--auto-approve")
	})
	now(c.etcdMembers)(t)
	now(c.nodesReady)(t)
	backends := c.ssh(t, "kube-node-1", "grep -c '^    server kube-master-[123] ' /etc/drover/haproxy.cfg")
	if backends != "3" {
		t.Errorf("kube-node-1 has %s API servers on its list", backends)
	}
	c.inSync(t)
	soon(c.routesHeld)(t)
}

// killedAt kills drover at the first event that begins as is said.
func (c *cluster) killedAt(t *testing.T, at string, args ...string) {
	t.Helper()
	e, r := c.droverUntil(t, func(e event) bool { return strings.HasPrefix(e.String(), at) }, kill, args...)
	if e == (event{}) {
		t.Fatalf("there was no %q: %s", at, r)
	}
	t.Logf("killed after %s at %s", r.Took.Round(time.Millisecond), e)
}

// masterIsReplaced has a master lose its machine, and puts another in its place, with
// nothing on its disk. drover is killed when the one before is a member no more.
func (c *cluster) masterIsReplaced(t *testing.T, name string) {
	before := c.ssh(t, name, "sha256sum /etc/kubernetes/pki/etcd/server.key /etc/ssh/ssh_host_ed25519_key")
	c.Must(t, "power", "kill", name)
	c.login(t) // at another master
	if err := os.RemoveAll(filepath.Join(stateDir, c.Name, "machines", name)); err != nil {
		t.Fatal(err)
	}
	if r := c.Run(t, "up", c.path()); r.Code != 0 {
		t.Fatal(r)
	}
	if r := c.drover(t, "apply", "--auto-approve"); r.Code != 65 || !strings.Contains(r.Stderr, "drover node replace "+name) {
		t.Errorf("an apply takes it for the member: %s", r)
	}
	others := func(hosts []string) []string {
		return slices.DeleteFunc(hosts, func(h string) bool { return h == name })
	}
	c.unseen(t, others(c.hosts()), others(c.masters()), func() {
		c.killedAt(t, "done cluster/etcd-member:"+name+" ", "node", "replace", name, "--auto-approve")
		c.drive(t, "node", "replace", name, "--auto-approve")
	})
	c.login(t)
	now(c.etcdMembers)(t)
	now(c.nodesReady)(t)
	after := c.ssh(t, name, "sha256sum /etc/kubernetes/pki/etcd/server.key /etc/ssh/ssh_host_ed25519_key")
	for i, line := range strings.Split(after, "\n") {
		if line == strings.Split(before, "\n")[i] {
			t.Errorf("%s has what the machine before had: %s", name, line)
		}
	}
	c.inSync(t)
	soon(c.routesHeld)(t)
}

// neededMasterStays: while one of three masters is dead, neither of the others is taken
// away, and the refusal has the numbers. The dead one is back then.
func (c *cluster) neededMasterStays(t *testing.T) {
	const dead, wanted = "kube-master-3", "kube-master-2"
	c.Must(t, "power", "kill", dead)
	before := c.ssh(t, "kube-master-1", etcdctl+"member list")
	labkit.Await(t, time.Minute, "etcd to do without "+dead, func() error {
		_, err := c.try(t.Context(), "kube-master-1", etcdctl+"endpoint health")
		return err
	})
	r := c.drover(t, "node", "remove", wanted, "--auto-approve")
	for _, want := range []string{wanted + " cannot be removed: removing " + wanted + " would cost the quorum: afterwards 1 of 2 members answers; quorum is 2", "`drover node remove " + dead + " --unreachable`"} {
		if r.Code == 0 || !strings.Contains(r.Stderr, want) {
			t.Errorf("want a refusal and %q: %s", want, r)
		}
	}
	if after := c.ssh(t, "kube-master-1", etcdctl+"member list"); after != before {
		t.Errorf("etcd has the members\n%s\nand had\n%s", after, before)
	}
	c.Must(t, "power", "on", dead)
	labkit.Await(t, 3*time.Minute, "its node to be Ready again", func() error { return c.nodesReady(t) })
	labkit.Await(t, 2*time.Minute, "all to be as it was", func() error {
		if r := c.drover(t, "plan"); r.Code != 0 {
			return errors.New(r.Stdout)
		}
		return nil
	})
}

// mastersLeave: two of three masters go in one command, which is killed in between. What
// is left is what there was before they came, in the cluster and on them, and so many more
// certificate requests.
func (c *cluster) mastersLeave(t *testing.T, one shape, bare []string, before map[string][]string, asked int) {
	args := []string{"node", "remove", "kube-master-2", "kube-master-3", "--auto-approve"}
	shown := c.drover(t, "plan", "--prune", "kube-master-2", "--prune", "kube-master-3")
	for _, want := range []string{"+ etcd-snapshot:before kube-master-2", "- etcd-member:kube-master-2 ", "- node:kube-master-3", "~ control-plane:stopped"} {
		if shown.Code != 2 || !strings.Contains(shown.Stdout, want) {
			t.Errorf("the plan does not show %q: %s", want, shown)
		}
	}
	c.unseen(t, append(c.nodes(), "kube-master-1"), []string{"kube-master-1"}, func() {
		c.killedAt(t, "done cluster/etcd-member:kube-master-2 ", args...)
		c.drive(t, args...)
	})
	c.set(t, one)
	c.login(t)
	now(c.etcdMembers)(t)
	now(c.nodesReady)(t)
	for _, name := range []string{"kube-master-2", "kube-master-3"} {
		if diff := cmp.Diff(bare, c.disk(t, name)); diff != "" {
			t.Errorf("%s is not as it was (-before +now):\n%s", name, diff)
		}
	}
	const requests = "certificatesigningrequests.certificates.k8s.io"
	if was, is := len(before[requests]), len(c.known(t)[requests]); is != was+asked {
		t.Errorf("%d certificate requests, and %d before, and %d were asked for", is, was, asked)
	}
	c.leftNothing(t, before, requests)
	leases := c.kubectl(t, "get", "leases", "-n", "kube-system", "-l", "apiserver.kubernetes.io/identity=kube-apiserver", "-o", `jsonpath={.items[*].metadata.labels.kubernetes\.io/hostname}`)
	if leases != "kube-master-1" {
		t.Errorf("API servers have the leases of %q", leases)
	}
	if backends := c.ssh(t, "kube-node-1", "grep -c '^    server kube-master-[123] ' /etc/drover/haproxy.cfg"); backends != "1" {
		t.Errorf("kube-node-1 has %s API servers on its list", backends)
	}
	c.inSync(t)
	soon(c.routesHeld)(t)
}

// drive runs drover, which has to succeed, and tells how long it took.
func (c *cluster) drive(t *testing.T, args ...string) {
	t.Helper()
	r := c.drover(t, args...)
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("%s took %s: %s", strings.Join(args, " "), r.Took.Round(time.Millisecond), lastLine(r.Stdout))
	t.Log(r.Stderr)
}

// unseen does something that those hosts' kubelets, clients, and whoever reads through
// etcd's quorum by way of some masters do not notice.
func (c *cluster) unseen(t *testing.T, hosts, masters []string, do func()) {
	t.Helper()
	starts := func() string {
		var all []string
		for _, h := range hosts {
			all = append(all, h+" "+c.ssh(t, h, "systemctl show -P ActiveEnterTimestampMonotonic -P MainPID kubelet | xargs"))
		}
		return strings.Join(all, "\n")
	}
	before := starts()
	watched := c.watchQuorum(t, masters)
	end := c.load(t)
	do()
	end(t)
	reads, longest, missing := watched()
	t.Logf("%d reads through the quorum, %s without one at most", reads, longest.Round(time.Millisecond))
	// An election takes one to two seconds, on a busy machine more.
	if longest > 5*time.Second {
		t.Errorf("%s without a quorum: %s", longest, missing)
	}
	if diff := cmp.Diff(before, starts()); diff != "" {
		t.Errorf("kubelets started again:\n%s", diff)
	}
}
