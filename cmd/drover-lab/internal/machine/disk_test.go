package machine

import (
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/internal/network"
	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testLab(t *testing.T) (state.Dir, topology.Lab) {
	t.Helper()
	lab, err := topology.Build("unit", "", []topology.Host{
		{Name: "kube-node-1", Role: topology.Node, Address: netip.MustParseAddr("10.90.0.21")},
		{Name: "f5-a", Role: topology.Router, Address: netip.MustParseAddr("10.90.0.5")},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := state.Root(t.TempDir()).Lab("unit")
	if err := os.MkdirAll(dir.Path("machines"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir, lab
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var (
	publicKey  = regexp.MustCompile(`ssh-ed25519 [A-Za-z0-9+/=]+`)
	privateKey = regexp.MustCompile(`(?s)(-----BEGIN OPENSSH PRIVATE KEY-----\n).*?(-----END)`)
)

// layer describes an upper layer: mode, owner, path and content of everything,
// without what is random.
func layer(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %d %s\n", info.Mode(), ownerOf(info), strings.TrimPrefix(path, root))
		content := ""
		switch {
		case e.Type() == fs.ModeSymlink:
			content, err = os.Readlink(path)
		case !e.IsDir():
			var raw []byte
			raw, err = os.ReadFile(path)
			content = string(raw)
		}
		content = privateKey.ReplaceAllString(publicKey.ReplaceAllString(content, "ssh-ed25519 KEY"), "${1}KEY\n$2")
		for line := range strings.Lines(content) {
			b.WriteString("\t" + strings.TrimRight(line, "\n") + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// imageRoot is as much of an image as a disk takes modes and owners from.
func imageRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, d := range []struct {
		path  string
		mode  fs.FileMode
		owner int
	}{{"etc/ssh", 0o755, 0}, {"home", 0o755, 0}, {"home/ops", 0o750, ops}, {"home/ops/.ssh", 0o700, ops}, {"root", 0o700, 0}, {"root/.ssh", 0o700, 0}} {
		path := filepath.Join(root, d.path)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, d.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, d.owner, d.owner); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
}

// What a machine's disk holds when it is made: its identity, with the modes and
// owners that sshd and sudo demand.
func TestPrepare(t *testing.T) {
	needRoot(t)
	dir, lab := testLab(t)
	if err := EnsureKey(dir, lab.Name); err != nil {
		t.Fatal(err)
	}
	image := imageRoot(t)
	for _, m := range lab.Machines {
		if err := Prepare(dir, lab, m, image); err != nil {
			t.Fatal(err)
		}
		golden(t, m.Name+".golden", layer(t, dir.Machine(m.Name, "upper")))
		if got, err := os.Readlink(dir.Machine(m.Name, "image")); err != nil || got != image {
			t.Errorf("%s is made from %q, %v; want %s", m.Name, got, err, image)
		}
		for _, d := range []string{"work", "root", "data/containerd", "data/kubelet", "data/etcd"} {
			if info, err := os.Stat(dir.Machine(m.Name, d)); err != nil || !info.IsDir() {
				t.Errorf("%s has no %s: %v", m.Name, d, err)
			}
		}
	}
	key := func(m string) string {
		content, err := os.ReadFile(dir.Machine(m, "upper/etc/ssh/ssh_host_ed25519_key"))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	if key("kube-node-1") == key("f5-a") {
		t.Error("two machines have one host key")
	}
	// A disk that is there is kept, whatever it holds by now.
	before := key("kube-node-1")
	if err := Prepare(dir, lab, lab.Machines[0], image); err != nil {
		t.Fatal(err)
	}
	if key("kube-node-1") != before {
		t.Error("a disk was made anew")
	}
}

// A disk appears whole or not at all; what a killed attempt left is replaced.
func TestPrepareIsWhole(t *testing.T) {
	needRoot(t)
	dir, lab := testLab(t)
	m := lab.Machines[0]
	if err := os.MkdirAll(dir.Machine(m.Name)+".partial/upper/etc/stale", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Prepare(dir, lab, m, imageRoot(t)); err == nil || !strings.HasPrefix(err.Error(), m.Name+": making its disk: ") {
		t.Errorf("without the lab's key: %v", err)
	}
	if _, err := os.Stat(dir.Machine(m.Name)); err == nil {
		t.Error("half a disk appeared")
	}
	if err := EnsureKey(dir, lab.Name); err != nil {
		t.Fatal(err)
	}
	if err := Prepare(dir, lab, m, imageRoot(t)); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{dir.Machine(m.Name) + ".partial", dir.Machine(m.Name, "upper/etc/stale")} {
		if _, err := os.Stat(gone); err == nil {
			t.Errorf("%s of an attempt before is still there", gone)
		}
	}
}

func TestEnsureKey(t *testing.T) {
	dir, lab := testLab(t)
	if err := EnsureKey(dir, lab.Name); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(dir.Key())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir.Key()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode: %v, %v", info.Mode(), err)
	}
	if err := EnsureKey(dir, lab.Name); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(dir.Key()); err != nil || string(again) != string(first) {
		t.Error("a key that was there was made anew")
	}
	// A kill between the two halves: the private one is without its public one.
	if err := os.Remove(dir.Key() + ".pub"); err != nil {
		t.Fatal(err)
	}
	if err := EnsureKey(dir, lab.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir.Key() + ".pub"); err != nil {
		t.Error(err)
	}
}

func TestWriteAccess(t *testing.T) {
	dir, lab := testLab(t)
	if err := WriteAccess(dir, lab); err == nil || !strings.HasPrefix(err.Error(), "kube-node-1: its host key: ") {
		t.Errorf("without a host key: %v", err)
	}
	for _, m := range lab.Machines {
		path := dir.Machine(m.Name, "upper/etc/ssh/ssh_host_ed25519_key.pub")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("ssh-ed25519 KEY-OF-"+m.Name+" root@"+m.Name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteAccess(dir, lab); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir.SSHConfig(), dir.KnownHosts()} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Base(path)+".golden", strings.ReplaceAll(string(content), dir.Path(), "LAB"))
	}
	before, err := os.Stat(dir.SSHConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteAccess(dir, lab); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(dir.SSHConfig()); err != nil || !os.SameFile(before, after) {
		t.Error("a file that was right was replaced")
	}
}

func TestNspawnArgs(t *testing.T) {
	dir := state.Root("/labs").Lab("unit")
	_, lab := testLab(t)
	args := nspawnArgs(dir, lab, lab.Machines[0], dir.Machine("kube-node-1", "root"))
	// Whether this machine has a fuse device is not what is tested.
	args = slices.DeleteFunc(args, func(a string) bool { return a == "--bind=/dev/fuse" })
	golden(t, "nspawn.golden", strings.Join(args, "\n")+"\n")
}

func TestRateIsRemembered(t *testing.T) {
	dir, _ := testLab(t)
	if got, err := Rate(dir, "kube-node-1"); err != nil || got != 0 {
		t.Errorf("never limited: %v, %v", got, err)
	}
	for _, rate := range []network.Rate{50e6, 8e3, 0, 0} {
		if err := SaveRate(dir, "kube-node-1", rate); err != nil {
			t.Fatal(err)
		}
		if got, err := Rate(dir, "kube-node-1"); err != nil || got != rate {
			t.Errorf("saved %v, read %v, %v", rate, got, err)
		}
	}
	if err := os.WriteFile(dir.Path("rates", "kube-node-1"), []byte("fast\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Rate(dir, "kube-node-1"); err == nil {
		t.Errorf("a broken file reads as %v", got)
	}
}

// No machine's group is that of the commands at work on the lab.
func TestGroups(t *testing.T) {
	for got, want := range map[string]string{
		WorkGroup("lab"):           "/drover-lab/lab/work",
		Group("lab", "work"):       "/drover-lab/lab/party.work",
		keeperGroup("lab", "f5-a"): "/drover-lab/lab/party.f5-a/keeper",
		BootGroup("lab", "f5-a"):   "/drover-lab/lab/party.f5-a/machine",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Packages are taken off once: what an operator installs again stays.
func TestPurgeOnce(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "purged")
	if err := purge("/no/such/root", marker, nil); err != nil {
		t.Errorf("nothing to take off: %v", err)
	}
	if err := purge("/no/such/root", marker, []string{"haproxy"}); err == nil || !strings.Contains(err.Error(), "taking off haproxy") {
		t.Errorf("where there is no root: %v", err)
	}
	if err := os.WriteFile(marker, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := purge("/no/such/root", marker, []string{"haproxy"}); err != nil {
		t.Errorf("taken off before: %v", err)
	}
}
