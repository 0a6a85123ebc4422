package state

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

func lab(t *testing.T) topology.Lab {
	t.Helper()
	l, err := topology.Build("one", "lab.hcl", []topology.Host{
		{Name: "kube-node-1", Role: topology.Node, Address: netip.MustParseAddr("10.90.0.21"), Without: []string{"haproxy"}},
		{Name: "f5-a", Role: topology.Router, Address: netip.MustParseAddr("10.90.0.5")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSaveAndLoad(t *testing.T) {
	dir := Root(t.TempDir()).Lab("one")
	if _, err := dir.Load(); !errors.Is(err, ErrNoLab) {
		t.Errorf("nothing saved: %v, want ErrNoLab", err)
	}
	if err := os.Mkdir(dir.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Load(); !errors.Is(err, ErrNoLab) || !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("a directory alone: %v, want ErrNoLab with the name", err)
	}
	want := lab(t)
	if err := dir.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := dir.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("-saved +loaded:\n%s", diff)
	}
}

// What is right already is not written, and what is not is.
func TestSaveLeavesWhatIsRight(t *testing.T) {
	dir := Root(t.TempDir()).Lab("one")
	if err := os.Mkdir(dir.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	l := lab(t)
	if err := dir.Save(l); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(dir.file(), old, old); err != nil {
		t.Fatal(err)
	}
	if err := dir.Save(l); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir.file()); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("saved again without need: %v, %v", info.ModTime(), err)
	}
	l.Inventory = "other.hcl"
	if err := dir.Save(l); err != nil {
		t.Fatal(err)
	}
	if got, err := dir.Load(); err != nil || got.Inventory != "other.hcl" {
		t.Errorf("loaded %q, %v", got.Inventory, err)
	}
}

func TestLoadNamesABrokenFile(t *testing.T) {
	dir := Root(t.TempDir()).Lab("one")
	if err := os.Mkdir(dir.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir.file(), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Load(); err == nil || errors.Is(err, ErrNoLab) || !strings.Contains(err.Error(), dir.file()) {
		t.Errorf("%v, want the file named", err)
	}
}

func TestLabs(t *testing.T) {
	root := Root(filepath.Join(t.TempDir(), "labs"))
	if names, err := root.Labs(); err != nil || len(names) > 0 {
		t.Errorf("no directory yet: %v, %v", names, err)
	}
	if names, err := root.Begun(); err != nil || len(names) > 0 {
		t.Errorf("no directory yet: begun %v, %v", names, err)
	}
	for _, d := range []string{"one", "two", ".hidden"} {
		if err := os.MkdirAll(filepath.Join(string(root), d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(string(root), "stray"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"one", "begun"} {
		if err := os.WriteFile(root.Lab(l).LockPath(), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := root.Labs(); err != nil || !slices.Equal(names, []string{"one", "two"}) {
		t.Errorf("labs %v, %v", names, err)
	}
	if names, err := root.Begun(); err != nil || !slices.Equal(names, []string{"begun", "one"}) {
		t.Errorf("begun %v, %v", names, err)
	}
}

// The lock outlives the lab's directory: who waits for it must not get one on
// a file that was removed with it.
func TestPaths(t *testing.T) {
	dir := Root("/var/lib/labs").Lab("one")
	for got, want := range map[string]string{
		dir.Machine("kube-node-1", "upper/etc"): "/var/lib/labs/one/machines/kube-node-1/upper/etc",
		dir.SSHConfig():                         "/var/lib/labs/one/ssh_config",
		dir.KnownHosts():                        "/var/lib/labs/one/known_hosts",
		dir.Key():                               "/var/lib/labs/one/id_ed25519",
		dir.LockPath():                          "/var/lib/labs/.one.lock",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if strings.HasPrefix(dir.LockPath(), dir.Path()+"/") {
		t.Error("the lock lies in the lab's directory")
	}
}
