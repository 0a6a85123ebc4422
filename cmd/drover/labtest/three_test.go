package labtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Three masters and two nodes, behind one BIG-IP inside of the cluster's AS and
// one outside of it. The tests go on from each other.
func TestThreeMastersTwoNodes(t *testing.T) {
	c := begin(t, threeLab, shape{Masters: 3, Nodes: 2, Routers: 2})
	steps := []struct {
		name string
		do   func(t *testing.T)
	}{
		{"a master that is off", c.nothingWithoutAllMasters},
		{"a node that is off", c.bootstrapWithoutANode},
		{"bootstrap", func(t *testing.T) { c.bootstrap(t); c.works(t) }},
		{"apply again", c.applyAgain},
		{"fragments that are missing", c.fragmentsKept},
		{"a flag of the API servers", c.apiServersRestartUnseen},
		{"a master that goes off", c.masterOff},
	}
	for _, step := range steps {
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
	}
}

// A cluster does not begin while one of its masters cannot be asked whether it is
// part of one already; the others are not touched.
func (c *cluster) nothingWithoutAllMasters(t *testing.T) {
	const off = "kube-master-3"
	c.Must(t, "power", "kill", off)
	others := slices.DeleteFunc(c.hosts(), func(h string) bool { return h == off })
	before := c.hostTraces(t, others...)
	r := c.drover(t, "apply", "--auto-approve")
	if r.Code != 69 || !strings.Contains(r.Stderr, off) {
		t.Errorf("want exit 69 and the master's name: %s", r)
	}
	t.Logf("refused after %s", r.Took.Round(time.Millisecond))
	expectMoved(t, before, c.hostTraces(t, others...), touched{})
	c.Must(t, "power", "on", off)
}

// fragmentsKept: members whose fragments are missing, so that nothing names them,
// are told of and stay on every list: nothing is to do.
func (c *cluster) fragmentsKept(t *testing.T) {
	s := c.shape
	s.Missing = []string{"kube-master-3", "kube-node-2"}
	path := c.inventory(t, c.Name+"-fragment", s)
	before := c.allTraces(t)
	for _, verb := range [][]string{{"plan"}, {"apply", "--auto-approve"}} {
		r := drover(t, path, verb...)
		for _, name := range s.Missing {
			if !strings.Contains(r.Stderr, name+" is a member but the inventory does not name it: kept") {
				t.Errorf("%s is not told of: %s", name, r)
			}
		}
		if r.Code != 0 || !strings.Contains(r.Stdout, "nothing to do") {
			t.Errorf("want nothing to do: %s", r)
		}
	}
	expectMoved(t, before, c.allTraces(t), touched{})
	soon(c.routesHeld)(t)

	// And they are put back where they are missing.
	const node, config = "kube-node-1", "/etc/drover/haproxy.cfg"
	c.ssh(t, node, "sed -i '/"+c.address("kube-master-3")+"/d' "+config)
	c.enter(t, "f5-b", "enable\nconfigure terminal\nrouter bgp 64513\n no neighbor "+c.address("kube-node-2")+" peer-group "+c.Name+"\nend\nwrite\n")
	if r := drover(t, path, "apply", "--auto-approve"); r.Code != 0 {
		t.Error(r)
	}
	backends := c.ssh(t, node, "grep -o '"+c.Net+"[.0-9]*:6443' "+config+" | sort -u")
	var want []string
	for _, m := range c.masters() {
		want = append(want, c.address(m)+":6443")
	}
	if !slices.Equal(strings.Split(backends, "\n"), want) {
		t.Errorf("%s has the backends %s, want %v", node, backends, want)
	}
	soon(c.routesHeld)(t)
	c.inSync(t)
}

// apiServersRestartUnseen changes a flag of all API servers: they restart one at a
// time, and whoever writes through a node's own endpoint does not notice.
func (c *cluster) apiServersRestartUnseen(t *testing.T) {
	s := c.shape
	s.APIServerArgs = map[string]string{"max-requests-inflight": "401"}
	c.set(t, s)
	want, repair := map[string]string{}, touched{}
	for _, m := range c.masters() {
		want[m+"/file:/etc/systemd/system/kube-apiserver.service"] = "update"
		want[m+"/unit:kube-apiserver.service"] = "update"
		repair.files = append(repair.files, m+" /etc/systemd/system/kube-apiserver.service")
		repair.units = append(repair.units, m+" kube-apiserver.service")
	}
	want, repair = c.withFacts(want, repair)
	if !c.expectPlan(t, want) {
		return
	}
	before := c.hostTraces(t, c.hosts()...)
	watch := c.watchAPIServers(t)
	plain, usual := c.write(t, "kube-node-1", "plain"), c.write(t, "kube-node-2", "usual")
	r := c.apply(t)
	t.Logf("three API servers restarted in %s", r.Took.Round(time.Millisecond))
	for _, w := range []*writer{plain, usual} {
		done, retried, failed := w.stop()
		t.Logf("%s: %d writes, %d of them again after a refused connection, %d after being told to come again", w.name, done, retried, w.again.Load())
		for _, f := range failed {
			t.Errorf("%s: %s", w.name, f)
		}
		if least := int(r.Took/time.Second) * 2; done < least {
			t.Errorf("%s: only %d writes in %s", w.name, done, r.Took)
		}
	}
	together, away := watch()
	for _, word := range together {
		t.Errorf("not one at a time: %s", word)
	}
	if got := slices.Sorted(maps.Keys(away)); !slices.Equal(got, c.masters()) {
		t.Errorf("the API servers of %v were seen to restart, want all", got)
	}
	expectMoved(t, before, c.hostTraces(t, c.hosts()...), repair)
	for _, m := range c.masters() {
		if got := c.ssh(t, m, "tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID kube-apiserver)/cmdline | grep inflight"); got != "--max-requests-inflight=401" {
			t.Errorf("%s: it runs with %q", m, got)
		}
	}
	c.inSync(t)
}

// watchAPIServers asks every API server whether it is ready, over and over. The
// function it returns ends that, and tells when two were not at once, and how
// often each was not.
func (c *cluster) watchAPIServers(t *testing.T) func() (together []string, away map[string]int) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	var together []string
	away, late := map[string]int{}, map[string]int{}
	ready := map[string]func() error{}
	for _, m := range c.masters() {
		ready[m] = c.asker(t, c.address(m))
	}
	go func() {
		defer close(stopped)
		for {
			var down []string
			for _, m := range c.masters() {
				if err := ready[m](); waitsForEtcd(err) {
					late[m]++
				} else if err != nil {
					down = append(down, fmt.Sprintf("%s (%v)", m, err))
					away[m]++
				}
			}
			if len(down) > 1 {
				together = append(together, strings.Join(down, ", "))
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() ([]string, map[string]int) {
		close(stop)
		<-stopped
		if len(late) > 0 {
			t.Logf("answered, but waited for etcd: %v", late)
		}
		return together, away
	}
}
