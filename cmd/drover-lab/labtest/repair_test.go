package labtest

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// bootIDs of all machines that are on.
func (l lab) bootIDs(t *testing.T) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for _, m := range l.answered(t).Machines {
		if m.State == "running" {
			ids[m.Name] = l.bootID(t, m.Name)
		}
	}
	return ids
}

// written is when each file of the lab was, but for the machines' own disks.
func (l lab) written(t *testing.T) map[string]time.Time {
	t.Helper()
	root := filepath.Join(stateDir, l.Name)
	times := map[string]time.Time{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && filepath.Dir(path) == filepath.Join(root, "machines") {
			return filepath.SkipDir
		}
		info, err := e.Info()
		if err == nil && !e.IsDir() {
			times[path] = info.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return times
}

// mirrorProcess is the process that serves the lab's mirror.
func (l lab) mirrorProcess(t *testing.T) int {
	t.Helper()
	found, err := labkit.Processes(func(p labkit.Process) bool {
		return slices.Contains(p.Args, "internal") && slices.Contains(p.Args, "mirror") && slices.Contains(p.Args, stateDir) && slices.Contains(p.Args, l.Name)
	})
	if err != nil || len(found) != 1 {
		t.Fatalf("want one mirror process: %v, %v", found, err)
	}
	return found[0].PID
}

// sharedInventory is what the shared lab was made from.
func sharedInventory() string { return filepath.Join(labkit.WorkDir(), "shared.hcl") }

// Run again over a lab that is whole, up changes nothing, and quickly.
func TestUpAgainChangesNothing(t *testing.T) {
	l := shared(t)
	l.Must(t, "up", "--without", without, sharedInventory())
	ids, times, mirror := l.bootIDs(t), l.written(t), l.mirrorProcess(t)
	r := l.Run(t, "up", "--without", without, sharedInventory())
	if r.Code != 0 {
		t.Fatal(r)
	}
	t.Logf("up over a lab that is whole: %s", r.Took.Round(time.Millisecond))
	if diff := cmp.Diff(ids, l.bootIDs(t)); diff != "" {
		t.Errorf("machines were started anew (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(times, l.written(t)); diff != "" {
		t.Errorf("files were written (-before +after):\n%s", diff)
	}
	if now := l.mirrorProcess(t); now != mirror {
		t.Errorf("the mirror was started anew: %d, was %d", now, mirror)
	}
}

// Run again over a lab that lacks a machine, its mirror and a file, up brings
// back just these.
func TestUpAgainRepairs(t *testing.T) {
	l := shared(t)
	const lost = "kube-master-1"
	ids, times := l.bootIDs(t), l.written(t)
	l.Must(t, "power", "kill", lost)
	if err := syscall.Kill(l.mirrorProcess(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	config := l.status(t).SSHConfig
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	l.Must(t, "up", "--without", without, sharedInventory())
	l.healthy(t)
	now := l.bootIDs(t)
	if now[lost] == ids[lost] {
		t.Errorf("%s was killed, and has the boot id it had", lost)
	}
	delete(now, lost)
	delete(ids, lost)
	if diff := cmp.Diff(ids, now); diff != "" {
		t.Errorf("other machines were started anew (-before +after):\n%s", diff)
	}
	written := l.written(t)
	if written[config].IsZero() {
		t.Errorf("%s is still missing", config)
	}
	for path, was := range times {
		if path != config && !strings.HasSuffix(path, ".log") && !written[path].Equal(was) {
			t.Errorf("%s was written: it was right", path)
		}
	}
}

// Whichever piece of the network is lost, up again puts it back.
func TestUpAgainRepairsTheNetwork(t *testing.T) {
	l := shared(t)
	t.Cleanup(func() { l.Run(t, "up", sharedInventory()) }) // for when the test fails half-way
	link := strings.Fields(l.adminLink(t))[0]
	for what, argv := range map[string][]string{
		"this machine's address": {"ip", "addr", "flush", "dev", link},
		"this machine's link":    {"ip", "link", "del", link},
		"the link's state":       {"ip", "link", "set", link, "down"},
		"the mirror's namespace": {"ip", "netns", "del", l.Namespace("mirror")},
		"the mirror's address":   {"ip", "-n", l.Namespace("mirror"), "addr", "flush", "dev", "eth0"},
		"the gateway's routes":   {"ip", "-n", l.Namespace("fabric"), "route", "flush", "198.18.1.0/24"},
		"the table of cuts":      {"ip", "netns", "exec", l.Namespace("fabric"), "nft", "delete", "table", "bridge", "lab"},
	} {
		t.Run(what, func(t *testing.T) {
			system(t, argv...)
			l.Must(t, "up", sharedInventory())
			l.healthy(t)
			openWays(t, l.parties(t))
		})
	}
}

// Without its fabric no machine has a cable; up again brings all back, with
// their disks.
func TestUpAgainRepairsTheFabric(t *testing.T) {
	l := shared(t)
	ids, mark := l.bootIDs(t), l.leaveMark(t, "kube-node-1")
	link := filepath.Join("/sys/class/net", strings.Fields(l.adminLink(t))[0])
	system(t, "ip", "netns", "del", l.Namespace("fabric"))
	labkit.Await(t, time.Minute, "the kernel has taken the links away", func() error {
		if _, err := os.Stat(link); err == nil {
			return fmt.Errorf("%s is still there", link)
		}
		return nil
	})
	l.Must(t, "up", sharedInventory())
	l.healthy(t)
	l.survived(t, "kube-node-1", mark, ids["kube-node-1"])
	openWays(t, l.parties(t))
}

// adminLink is this machine's interface on the lab's network.
func (l lab) adminLink(t *testing.T) string {
	t.Helper()
	found, err := interfaces()
	for _, i := range found {
		if strings.HasSuffix(i, " drover-lab:"+l.Name) {
			return i
		}
	}
	t.Fatalf("no interface of lab %s among %v (%v)", l.Name, found, err)
	return ""
}

// An inventory that has gained a node adds it; one that has lost machines takes
// none away.
func TestUpAgainAddsWhatTheInventoryGained(t *testing.T) {
	l := shared(t)
	ids := l.bootIDs(t)
	l.Must(t, "up", l.inventory(t, 3, 3, 2))
	s := l.healthy(t)
	if got := s.machine(t, "kube-node-3").Address; got != l.Net+".23" {
		t.Errorf("kube-node-3 is at %s", got)
	}
	if got := l.SSH(t, "kube-node-3", fmt.Sprintf("ping -c1 -W2 -q %s.21 >/dev/null && hostname", l.Net)); got != "kube-node-3" {
		t.Errorf("kube-node-3 says it is %q", got)
	}
	now := l.bootIDs(t)
	delete(now, "kube-node-3")
	if diff := cmp.Diff(ids, now); diff != "" {
		t.Errorf("other machines were started anew (-before +after):\n%s", diff)
	}
	l.Must(t, "up", sharedInventory())
	if got := slices.Sorted(maps.Keys(l.bootIDs(t))); len(got) != 10 {
		t.Errorf("machines %v, want the ten there were", got)
	}
	moved := filepath.Join(labkit.WorkDir(), "moved.hcl")
	content, err := os.ReadFile(sharedInventory())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(moved, []byte(strings.Replace(string(content), l.Net+".22", l.Net+".77", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := l.Run(t, "up", moved); r.Code != 1 || !strings.Contains(r.Stderr, "kube-node-2: the lab has it as kube-node at "+l.Net+".22") {
		t.Errorf("a changed address: want it refused by name: %s", r)
	}
}
