package fleetbench

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// One master becomes three: one after the other, each snapshot before each change, and
// what there was goes on: no kubelet and no API server starts again.
func TestMastersGrow(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 2})
	apply(t, f)
	before := starts(f)
	f.AddMasters(2)
	out, code := invoke(f, "plan")
	if code != 2 {
		t.Fatalf("plan: exit %d\n%s", code, out)
	}
	for _, m := range []string{"kube-master-2", "kube-master-3"} {
		for _, line := range []string{"+ etcd-snapshot:before ", "+ etcd-learner:", "+ etcd-vote:"} {
			if !strings.Contains(out, "  "+line+m+"\n") {
				t.Errorf("the plan does not tell %q:\n%s", line+m, out)
			}
		}
	}
	if out, code = invoke(f, "apply", "--auto-approve"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	members(t, f, []string{"kube-master-1", "kube-master-2", "kube-master-3"},
		"add 10.64.0.2", "promote kube-master-2", "add 10.64.0.3", "promote kube-master-3")
	for name, was := range before {
		is := starts(f)[name]
		if !strings.HasSuffix(name, "drover-haproxy.service") && is != was {
			t.Errorf("%s was started %d times, and %d before", name, is, was)
		}
	}
	if n := snapshots(f); n != 2 {
		t.Errorf("%d snapshots", n)
	}
	if !strings.Contains(out, "a snapshot of etcd is kept on kube-master-1:/var/lib/drover/etcd-snapshots/etcd-") {
		t.Errorf("it does not tell where the snapshot is:\n%s", out)
	}
	for _, h := range f.Hosts {
		if config := h.Machine.State().Files["/etc/drover/haproxy.cfg"].Content; !strings.Contains(config, "10.64.0.3:6443") {
			t.Errorf("%s does not have the new master on its list", h.Name)
		}
	}
	inSync(t, f)
}

// Every master can be replaced, the first as well, and nothing of the machine before is
// left in the cluster or comes to the new one.
func TestMastersAreReplaced(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	apply(t, f)
	end := f.End()
	for _, name := range []string{"kube-master-1", "kube-master-2"} {
		key := f.Host(name).Machine.State().Files["/etc/kubernetes/pki/etcd/server.key"].Content
		node, before := f.UID("Node", name), starts(f)
		f.Replace(name)
		// An apply does not take it for the member.
		if out, code := invoke(f, "apply", "--auto-approve"); code != 65 || !strings.Contains(out, "drover node replace "+name) {
			t.Errorf("apply: exit %d\n%s", code, out)
		}
		f.Forget()
		out, code := invoke(f, "node", "replace", name, "--auto-approve")
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, out)
		}
		if len(key) == 0 || f.Host(name).Machine.State().Files["/etc/kubernetes/pki/etcd/server.key"].Content == key {
			t.Error("it has the key of the machine before")
		}
		if uid := f.UID("Node", name); uid == node || uid == "" {
			t.Errorf("its Node is %q, and was %q", uid, node)
		}
		for unit, was := range before {
			if is := starts(f)[unit]; !strings.HasPrefix(unit, name+" ") && is != was {
				t.Errorf("%s was started %d times, and %d before", unit, is, was)
			}
		}
		inSync(t, f)
		// Run again, it replaces nothing.
		if out, code := invoke(f, "node", "replace", name, "--auto-approve"); code != 0 || !strings.Contains(out, name+" is not replaced: its machine is the member that the cluster knows") {
			t.Errorf("again: exit %d\n%s", code, out)
		}
	}
	members(t, f, []string{"kube-master-1", "kube-master-2", "kube-master-3"},
		"remove kube-master-1", "add 10.64.0.1", "promote kube-master-1", "remove kube-master-2", "add 10.64.0.2", "promote kube-master-2")
	if diff := cmp.Diff(strings.Split(end, "\n"), strings.Split(f.End(), "\n")); diff != "" {
		t.Errorf("another end than before:\n%s", diff)
	}
}

// What would cost the quorum is refused, with the numbers, before anything is touched.
func TestNoReplacementBelowTheQuorum(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	apply(t, f)
	f.Replace("kube-master-1")
	f.StopEtcd("kube-master-3")
	refused(t, f, "kube-master-1", 1, "etcd's members are not agreed on", "0 of 3 members answer; quorum is 2: kube-master-1 does not answer: ", "kube-master-2 has no leader; kube-master-3 does not answer: ")

	one := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	apply(t, one)
	one.Replace("kube-master-1")
	refused(t, one, "kube-master-1", 1, "no master named here does")
	refused(t, one, "kube-master-7", 64, `the inventory has no host "kube-master-7", so there is no machine that could take its place: it has kube-master-1, kube-node-1`)
}

// While etcd cannot be asked, nothing is begun on an empty machine: it may be that of a
// member. What else there is to do about the cluster is done without it.
func TestNothingBeginsWhileEtcdIsSilent(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	apply(t, f)
	f.Replace("kube-master-2")
	f.StopEtcd("kube-master-1")
	f.StopEtcd("kube-master-3")
	before := dumps(f)
	says(t, said(t, f, 69, "apply", "--auto-approve"), "nothing is begun on kube-master-2, as only etcd knows whether a member of that name lost its disk",
		"fix: bring etcd's members back; until then, leave kube-master-2 out of the inventory")
	if dumps(f) != before {
		t.Error("something was changed")
	}
	f.Drop("kube-master-2")
	says(t, said(t, f, 2, "plan"), "etcd could not be asked who its members are")
}

// A machine that still runs elsewhere under the name that another one has now counts, and
// is not taken away when the others are too few without it; nor is it replaced while it
// runs, as there would be two of that name.
func TestMasterReplacedElsewhere(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	apply(t, f)
	old := f.Supplant("kube-master-2", "10.64.0.99")
	alive := f.Save()
	f.StopEtcd("kube-master-3")
	refused(t, f, "kube-master-2", 1, "kube-master-2 cannot be replaced: removing kube-master-2 would cost the quorum: afterwards 1 of 2 members answers; quorum is 2",
		"now 2 of 3 members answer; quorum is 2: kube-master-3 does not answer", "fix: bring back who does not answer")
	f.Restore(alive)
	refused(t, f, "kube-master-2", 1, "kube-master-2 cannot be replaced: the machine before, at 10.64.0.2, still runs: its etcd answers; two machines must not have the name kube-master-2",
		"fix: power that machine off for good", "`drover node remove kube-master-2`, which resets it")
	f.StopFormerEtcd(old)
	refused(t, f, "kube-master-2", 1, "the machine before, at 10.64.0.2, still runs: its kubelet is heard of")
	f.PowerOffFormer(old)
	begun := time.Now()
	out := said(t, f, 0, "node", "replace", "kube-master-2", "--auto-approve")
	inOrder(t, out, "the machine that was kube-master-2 is not reset", "cluster/etcd-snapshot:before kube-master-2  created", "cluster/former-silent:kube-master-2  created",
		"cluster/former-node:kube-master-2  deleted", "cluster/etcd-member:kube-master-2 ")
	if took := time.Since(begun); took < 20*time.Second {
		t.Errorf("it took %s: one look is no proof that a machine is dead", took)
	}
	members(t, f, []string{"kube-master-1", "kube-master-2", "kube-master-3"}, "remove kube-master-2", "add 10.64.0.99", "promote kube-master-2")
	for _, h := range f.Hosts {
		if config := h.Machine.State().Files["/etc/drover/haproxy.cfg"].Content; !strings.Contains(config, "10.64.0.99:6443") || strings.Contains(config, "10.64.0.2:6443") {
			t.Errorf("%s has the list\n%s", h.Name, config)
		}
	}
	inSync(t, f)
}

func refused(t *testing.T, f *fleettest.Fleet, name string, want int, says ...string) {
	t.Helper()
	before := dumps(f)
	out, code := invoke(f, "node", "replace", name, "--auto-approve")
	if code != want {
		t.Errorf("exit %d\n%s", code, out)
	}
	for _, s := range says {
		if !strings.Contains(out, s) {
			t.Errorf("it does not say %q:\n%s", s, out)
		}
	}
	if dumps(f) != before {
		t.Error("something was changed")
	}
}

// A machine on which something is left of what it was takes nobody's place, nor does
// one whose etcd was removed come back by an apply.
func TestWhoJoinsIsEmpty(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	apply(t, f)
	f.Replace("kube-master-2")
	put(t, f.Host("kube-master-2"), "/var/lib/kubelet/pki/kubelet-client-current.pem")
	refused(t, f, "kube-master-2", 65, "is to take kube-master-2's place, and holds the credentials of a kubelet", "drover reset kube-master-2")

	g := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	apply(t, g)
	g.AddMasters(1)
	g.Hosts[1].Machine.Edit(func(s *hosttest.State) {
		if err := s.MakeDirs("/var/lib/etcd/member/wal"); err != nil {
			t.Error(err)
		}
	})
	if out, code := invoke(g, "apply", "--auto-approve"); code != 65 || !strings.Contains(out, "kube-master-2 holds the data of an etcd, and is no member of the cluster's") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func put(t *testing.T, h *fleettest.Host, name string) {
	t.Helper()
	h.Machine.Edit(func(s *hosttest.State) {
		if err := s.Put(name, "of the machine before", 0o600, "root:root"); err != nil {
			t.Error(err)
		}
	})
}

// A snapshot is kept on a master, and copied when that is asked for.
func TestSnapshotOfEtcd(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	if out, code := invoke(f, "etcd", "snapshot"); code != 1 || !strings.Contains(out, "kube-master-3: no snapshot of etcd was taken: its etcd is not part of a quorum") {
		t.Errorf("without a cluster: exit %d\n%s", code, out)
	}
	apply(t, f)
	to := filepath.Join(t.TempDir(), "etcd.db")
	f.StopEtcd("kube-master-1")
	out, code := invoke(f, "etcd", "snapshot", "--out", to)
	if code != 0 || !strings.Contains(out, "a snapshot of etcd: revision 42, 3 keys, 27 bytes\n") || !strings.Contains(out, "kept    kube-master-2:/var/lib/drover/etcd-snapshots/etcd-") || !strings.Contains(out, "copied  "+to) {
		t.Errorf("exit %d\n%s", code, out)
	}
	info, err := os.Stat(to)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if content, err := os.ReadFile(to); err != nil || string(content) != "a snapshot by kube-master-2" {
		t.Errorf("%q, %v", content, err)
	}
	if n := snapshots(f); n != 1 {
		t.Errorf("%d are kept", n)
	}
}

// starts is how often each unit of each host was started.
func starts(f *fleettest.Fleet) map[string]int {
	out := map[string]int{}
	for _, h := range f.Hosts {
		for name, u := range h.Machine.State().Units {
			out[h.Name+" "+name] = u.Starts
		}
	}
	return out
}

func snapshots(f *fleettest.Fleet) (n int) {
	for _, h := range f.Hosts {
		n += snapshotsOn(f, h.Name)
	}
	return n
}

func snapshotsOn(f *fleettest.Fleet, name string) (n int) {
	for file := range maps.Keys(f.Host(name).Machine.State().Files) {
		if strings.HasPrefix(file, "/var/lib/drover/etcd-snapshots/etcd-") {
			n++
		}
	}
	return n
}

func members(t *testing.T, f *fleettest.Fleet, want []string, changes ...string) {
	t.Helper()
	if got := f.EtcdMembers(); !slices.Equal(got, want) {
		t.Errorf("etcd has the members %v, want %v", got, want)
	}
	if got := f.EtcdChanges(); !slices.Equal(got, changes) {
		t.Errorf("etcd's members were changed by %q, want %q", got, changes)
	}
}

func inSync(t *testing.T, f *fleettest.Fleet) {
	t.Helper()
	if out, code := invoke(f, "plan"); code != 0 || !strings.Contains(out, "nothing to do") {
		t.Errorf("plan: exit %d\n%s", code, out)
	}
}
