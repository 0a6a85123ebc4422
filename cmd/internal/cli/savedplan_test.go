package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/plan"
)

func aPlan(t *testing.T) plan.Plan {
	t.Helper()
	item := plan.Item{ID: "h/file:/x", Want: plan.State{"mode": "0644"}}
	p, err := plan.Diff("one", []plan.Item{item}, map[plan.ID]plan.State{item.ID: nil})
	if err != nil {
		t.Fatal(err)
	}
	p.Standing = "new"
	return p
}

// A saved plan is its owner's alone, also where another file was before.
func TestSavePlan(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plan.json")
	if err := os.WriteFile(path, []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := savePlan(path, aPlan(t)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("%v: left behind: %v", err, names)
	}
	ap, err := readApproval([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	if err := ap.covers(aPlan(t)); err != nil {
		t.Error(err)
	}
	if err := ap.of(&inventory.Cluster{Name: "one"}); err != nil {
		t.Error(err)
	}
}

func TestSavePlanRefuses(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("elsewhere", link); err != nil {
		t.Fatal(err)
	}
	// Not /dev/null itself: this test, once it fails, replaces what it names.
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		link:                               "is no regular file",
		dir:                                "is no regular file",
		pipe:                               "is no regular file",
		filepath.Join(dir, "no", "where"):  "no such file or directory",
		filepath.Join(link, "in", "there"): "no such file or directory",
	} {
		if err := savePlan(path, aPlan(t)); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if to, err := os.Readlink(link); err != nil || to != "elsewhere" {
		t.Errorf("the link is now %q, %v", to, err)
	}
}
