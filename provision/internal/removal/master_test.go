package removal

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// needs is what each thing of a removal needs, at any remove. What is not the removal's
// own is given with what it needs.
func needs(t *testing.T, rs []resource.Resource, others ...plan.Item) map[plan.ID][]plan.ID {
	t.Helper()
	items, have := others, map[plan.ID]plan.State{}
	for _, r := range rs {
		items = append(items, r.Item())
	}
	for _, i := range items {
		have[i.ID] = plan.State{"x": "y"}
	}
	p, err := plan.Diff("c", items, have)
	if err != nil {
		t.Fatal(err)
	}
	all := map[plan.ID][]plan.ID{}
	for _, c := range p.Changes { // each after what it needs
		for _, need := range c.Needs {
			all[c.ID] = append(append(all[c.ID], need), all[need]...)
		}
	}
	return all
}

func master(name string, id uint64, reached bool) Node {
	n := Node{Name: name, Address: netip.MustParseAddr("10.90.0.12"), Reached: reached, Master: true}
	if id != 0 {
		n.Member = &etcd.Member{ID: id, Name: name}
	}
	return n
}

// A master's etcd goes after a snapshot, when nothing leads to its API server any more and
// that has ended, and before anything on its disk; one master is gone before the next one's
// ends.
func TestMastersLeaveOneAfterTheOther(t *testing.T) {
	in := inputs(master("m2", 2, true), Node{Name: "n2", Address: netip.MustParseAddr("10.90.0.22"), Reached: true}, master("m3", 3, true))
	const list, forgotten = plan.ID("n1/unit:drover-haproxy.service"), plan.ID("f5-a/bgp:neighbors")
	in.Lists = []plan.ID{list}
	s := Of(in, []plan.ID{forgotten})
	n := needs(t, s.Resources, plan.Item{ID: list, Needs: s.Emptied}, plan.Item{ID: forgotten, Needs: s.Drained})
	chain := func(ids ...plan.ID) {
		t.Helper()
		for i, id := range ids[1:] {
			if !slices.Contains(n[id], ids[i]) {
				t.Errorf("%s does not need %s, but %v", id, ids[i], n[id])
			}
		}
	}
	chain("cluster/etcd-snapshot:before m2", "cluster/cordon:m2", "cluster/drain:m2", list, "m2/control-plane:stopped", "cluster/etcd-lead:m2",
		"cluster/etcd-member:m2 0000000000000002", "m2/reset:drover", "cluster/node:m2", "cluster/etcd-snapshot:before m3", "m3/control-plane:stopped",
		"cluster/etcd-lead:m3", "cluster/etcd-member:m3 0000000000000003", "m3/reset:drover", "cluster/node:m3")
	chain("cluster/etcd-snapshot:before m2", "cluster/cordon:m3", "cluster/drain:m3", list)
	for _, id := range []plan.ID{"cluster/cordon:n2", "n2/reset:drover", "cluster/node:n2"} {
		for _, need := range n[id] {
			if strings.Contains(string(need), "etcd-member") || need == list {
				t.Errorf("a node's %s waits for %s", id, need)
			}
		}
	}
	// Cut off when the first was a member no more, it is ended before the next one begins.
	s = Of(inputs(master("m2", 0, true), master("m3", 3, true)), nil)
	n = needs(t, s.Resources)
	chain("cluster/etcd-snapshot:before m3", "cluster/cordon:m2", "m2/reset:drover", "cluster/node:m2", "m3/control-plane:stopped", "cluster/etcd-member:m3 0000000000000003")
	if !slices.Equal(in.members(), []uint64{2, 3}) {
		t.Errorf("%v", in.members())
	}
}

// Of a dead one nothing is asked but of the others, and what is no member any more takes
// no snapshot: there would be something to do for ever.
func TestMasterThatIsDeadOrGone(t *testing.T) {
	ids := func(n Node) (out []string) {
		for _, r := range Of(inputs(n), nil).Resources {
			if id := r.Item().ID; id.Host() == plan.ClusterHost || id.Host() == n.Name {
				out = append(out, string(id))
			}
		}
		return out
	}
	both := []string{"cluster/cordon:m2", "cluster/exclude:m2", "cluster/drain:m2"}
	end := []string{"cluster/node:m2", "cluster/blocks:m2"}
	dead := slices.Concat([]string{"cluster/etcd-snapshot:before m2"}, both, []string{"cluster/etcd-lead:m2", "cluster/etcd-member:m2 0000000000000002"}, end)
	if got := ids(master("m2", 2, false)); !slices.Equal(got, dead) {
		t.Errorf("dead: %q", got)
	}
	gone := slices.Concat(both, []string{"m2/control-plane:stopped", "m2/reset:drover"}, end)
	if got := ids(master("m2", 0, true)); !slices.Equal(got, gone) {
		t.Errorf("no member any more: %q", got)
	}
	learner := master("m2", 2, true)
	learner.Member.Learner = true
	if got := ids(learner); slices.Contains(got, "cluster/etcd-lead:m2") || !slices.Contains(got, "cluster/etcd-member:m2 0000000000000002") {
		t.Errorf("a learner: %q", got)
	}
}

// Only what drover started is stopped, what cannot be asked about counts as running, and a
// look stops nothing.
func TestRetireScript(t *testing.T) {
	dir := t.TempDir()
	started, log := filepath.Join(dir, "started"), filepath.Join(dir, "log")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(started, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, u := range []string{"up", "down", "mute"} {
		write(filepath.Join(started, u+".drover"), "")
	}
	write(filepath.Join(dir, "systemctl"), `#!/bin/sh
case "$*" in
"is-active up" | "is-active other") echo active ;;
"is-active down") echo inactive; exit 3 ;;
"is-active mute") exit 1 ;;
*) echo "$*" >>`+log+` ;;
esac
`)
	run := func(verb string) string {
		t.Helper()
		argv := retire(verb).Argv
		c := exec.Command(argv[0], append(slices.Clone(argv[1:4]), verb, started, "up", "down", "mute", "other")...)
		c.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if got := run("look"); got != "up mute end" {
		t.Errorf("look: %q", got)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("a look did something")
	}
	run("stop")
	if did, err := os.ReadFile(log); err != nil || string(did) != "stop up mute\n" {
		t.Errorf("%q, %v", did, err)
	}
}
