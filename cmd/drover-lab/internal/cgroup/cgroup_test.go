package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	mountsV2 = `24 30 0:22 / /proc rw,nosuid - proc proc rw
25 30 0:23 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
`
	mountsV1 = `25 30 0:23 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
31 25 0:27 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 25 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
`
	mountsHybrid = mountsV1 + "32 25 0:28 / /sys/fs/cgroup/unified rw shared:12 - cgroup2 cgroup2 rw,nsdelegate\n"
)

func TestParseMounts(t *testing.T) {
	for _, tc := range []struct {
		mounts, version string
		v1              bool
		hierarchies     []string
	}{
		{mountsV2, "v2", false, []string{"/sys/fs/cgroup"}},
		{mountsV1, "v1", true, []string{"/sys/fs/cgroup/systemd name=systemd", "/sys/fs/cgroup/cpu,cpuacct cpu cpuacct", "/sys/fs/cgroup/memory memory"}},
		{mountsHybrid, "v1 (hybrid)", true, []string{"/sys/fs/cgroup/systemd name=systemd", "/sys/fs/cgroup/cpu,cpuacct cpu cpuacct", "/sys/fs/cgroup/memory memory", "/sys/fs/cgroup/unified"}},
	} {
		tree, err := parseMounts(strings.NewReader(tc.mounts))
		if err != nil {
			t.Errorf("%s: %v", tc.version, err)
		}
		if tree.Version() != tc.version || tree.V1() != tc.v1 {
			t.Errorf("version %q, v1 %v; want %q, %v", tree.Version(), tree.V1(), tc.version, tc.v1)
		}
		var got []string
		for _, h := range tree.hierarchies {
			// The mount's own options come along; what counts is that the
			// controllers are among them.
			got = append(got, strings.TrimSpace(h.mount+" "+strings.Join(slices.DeleteFunc(slices.Clone(h.controllers), func(c string) bool {
				return c == "rw" || c == "xattr"
			}), " ")))
		}
		if !slices.Equal(got, tc.hierarchies) {
			t.Errorf("%s: hierarchies %q, want %q", tc.version, got, tc.hierarchies)
		}
	}
	for _, mounts := range []string{"", "24 30 0:22 / /proc rw - proc proc rw\n", "garbage\n"} {
		if _, err := parseMounts(strings.NewReader(mounts)); err == nil || !strings.Contains(err.Error(), "mount -t cgroup2") {
			t.Errorf("%q: %v, want to be told what to mount", mounts, err)
		}
	}
}

// put writes a file of a fake hierarchy; directories come along.
func put(t *testing.T, content string, elem ...string) {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, elem ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// fake is a tree of plain directories in both forms, as far as they can stand
// in for a kernel.
func fake(t *testing.T) (tree Tree, unified, memory, cpuset string) {
	t.Helper()
	unified, memory, cpuset = t.TempDir(), t.TempDir(), t.TempDir()
	return Tree{hierarchies: []hierarchy{
		{mount: unified, unified: true},
		{mount: memory, controllers: []string{"memory"}},
		{mount: cpuset, controllers: []string{"cpuset"}},
	}}, unified, memory, cpuset
}

func TestCreate(t *testing.T) {
	tree, unified, memory, cpuset := fake(t)
	put(t, "cpu memory\n", unified, "cgroup.controllers")
	put(t, "", unified, "cgroup.subtree_control")
	put(t, "0-3\n", cpuset, "cpuset.cpus")
	put(t, "0\n", cpuset, "cpuset.mems")
	for _, d := range []string{"labs", "labs/a"} { // a kernel's new groups have these files, empty
		put(t, "", cpuset, d, "cpuset.cpus")
		put(t, "\n", cpuset, d, "cpuset.mems")
	}
	for range 2 { // what is there is left
		if err := tree.Create("/labs/a"); err != nil {
			t.Fatal(err)
		}
	}
	for _, root := range []string{unified, memory, cpuset} {
		if info, err := os.Stat(filepath.Join(root, "labs/a")); err != nil || !info.IsDir() {
			t.Errorf("%s has no group labs/a: %v", root, err)
		}
	}
	// Each write is a request of its own: one controller that is refused must
	// not cost the others. A plain file keeps the last.
	if got := get(t, unified, "cgroup.subtree_control"); got != "+memory" {
		t.Errorf("the root passes on %q", got)
	}
	if cpus, mems := get(t, cpuset, "labs/a/cpuset.cpus"), get(t, cpuset, "labs/a/cpuset.mems"); cpus != "0-3\n" || mems != "0\n" {
		t.Errorf("labs/a has cpus %q and mems %q, want those of its parent", cpus, mems)
	}
	put(t, "1\n", cpuset, "labs/a/cpuset.cpus")
	if err := tree.Create("/labs/a"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, cpuset, "labs/a/cpuset.cpus"); got != "1\n" {
		t.Errorf("a cpuset that was filled is now %q", got)
	}
}

func TestMoveAndProcs(t *testing.T) {
	tree, unified, memory, cpuset := fake(t)
	put(t, "0\n", cpuset, "cpuset.cpus")
	put(t, "0\n", cpuset, "cpuset.mems")
	put(t, "0\n", cpuset, "a/cpuset.cpus")
	put(t, "0\n", cpuset, "a/cpuset.mems")
	if err := tree.Move("/a", 4711); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{unified, memory, cpuset} {
		if got := get(t, root, "a/cgroup.procs"); got != "4711" {
			t.Errorf("%s: entered %q", root, got)
		}
	}
	// A process may be in different groups of different hierarchies, and 0 is
	// one that cannot be seen from here.
	put(t, "12\n4711\n", unified, "a/cgroup.procs")
	put(t, "9\n0\n", memory, "a/below/cgroup.procs")
	pids, err := tree.Procs("/a")
	if want := []int{9, 12, 4711}; err != nil || !slices.Equal(pids, want) {
		t.Errorf("Procs %v, %v; want %v", pids, err, want)
	}
	if pids, err := tree.Procs("/nowhere"); err != nil || len(pids) > 0 {
		t.Errorf("Procs of an absent group: %v, %v", pids, err)
	}
	if got := tree.Children("/a"); !slices.Equal(got, []string{"below"}) {
		t.Errorf("Children %v", got)
	}
}

func TestRemove(t *testing.T) {
	tree, unified, memory, _ := fake(t)
	for _, root := range []string{unified, memory} {
		if err := os.MkdirAll(filepath.Join(root, "labs/a/b/c"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tree.RemoveIfEmpty("/labs")
	if _, err := os.Stat(filepath.Join(unified, "labs/a/b/c")); err != nil {
		t.Errorf("a group with children was removed: %v", err)
	}
	for range 2 { // what is gone is done
		if err := tree.Remove(t.Context(), "/labs/a"); err != nil {
			t.Fatal(err)
		}
	}
	tree.RemoveIfEmpty("/labs")
	for _, root := range []string{unified, memory} {
		if _, err := os.Stat(filepath.Join(root, "labs")); err == nil {
			t.Errorf("%s still has the group", root)
		}
	}
}

func TestWorkingSet(t *testing.T) {
	root := t.TempDir()
	put(t, "1000\n", root, "v1/memory.usage_in_bytes")
	put(t, "cache 900\ninactive_file 1\ntotal_inactive_file 400\n", root, "v1/memory.stat")
	put(t, "1000\n", root, "v2/memory.current")
	put(t, "anon 10\ninactive_file 300\n", root, "v2/memory.stat")
	put(t, "10\n", root, "small/memory.current")
	put(t, "inactive_file 300\n", root, "small/memory.stat")
	put(t, "10\n", root, "odd/memory.current")
	put(t, "anon 300\n", root, "odd/memory.stat")
	v1 := Tree{hierarchies: []hierarchy{{mount: root, controllers: []string{"name=systemd"}}, {mount: root, controllers: []string{"memory"}}}}
	v2 := Tree{hierarchies: []hierarchy{{mount: root, unified: true}}}
	for _, tc := range []struct {
		tree  Tree
		group string
		want  int64
	}{{v1, "v1", 600}, {v2, "v2", 700}, {v2, "small", 0}} {
		if got, err := tc.tree.WorkingSet(tc.group); err != nil || got != tc.want {
			t.Errorf("WorkingSet(%s) = %d, %v; want %d", tc.group, got, err, tc.want)
		}
	}
	if _, err := v2.WorkingSet("absent"); !errors.Is(err, ErrNoMemory) {
		t.Errorf("without accounting: %v", err)
	}
	if _, err := v2.WorkingSet("odd"); err == nil || errors.Is(err, ErrNoMemory) || !strings.Contains(err.Error(), "no inactive_file") {
		t.Errorf("a stat without its line: %v", err)
	}
}

// On the real hierarchies: processes are found at any depth, killed, and their
// groups removed.
func TestRealGroups(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for control groups")
	}
	tree, err := Open()
	if err != nil {
		t.Skip(err)
	}
	group := fmt.Sprintf("/drover-unit-%d", os.Getpid())
	if err := tree.Create(group + "/a/b"); err != nil { // on v2 only leaves hold processes
		t.Skipf("control groups cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(tree.Kill(context.Background(), group), tree.Remove(context.Background(), group)); err != nil {
			t.Log(err)
		}
	})
	start := func(g string) *exec.Cmd {
		// Its child is born in its group, and outlives it.
		cmd := exec.Command("sh", "-c", "sleep 600 & wait")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := tree.Move(g, cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	one, two := start(group+"/c"), start(group+"/a/b")
	pids, err := tree.Procs(group)
	if err != nil || !slices.Contains(pids, one.Process.Pid) || !slices.Contains(pids, two.Process.Pid) {
		t.Fatalf("Procs %v, %v; want %d and %d among them", pids, err, one.Process.Pid, two.Process.Pid)
	}
	if pids, err := tree.Procs(group + "/a"); err != nil || slices.Contains(pids, one.Process.Pid) {
		t.Errorf("Procs below: %v, %v; %d is not in there", pids, err, one.Process.Pid)
	}
	if _, err := tree.WorkingSet(group); err != nil && !errors.Is(err, ErrNoMemory) {
		t.Errorf("WorkingSet: %v", err)
	}
	done := make(chan error, 2)
	go func() { done <- one.Wait() }()
	go func() { done <- two.Wait() }()
	if err := tree.Kill(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("Kill returned, and a process lives")
		}
	}
	if on, err := tree.Running(group); err != nil || on {
		t.Errorf("killed, and running: %v, %v", on, err)
	}
	if err := tree.Remove(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	for _, h := range tree.hierarchies {
		if _, err := os.Stat(filepath.Join(h.mount, group)); err == nil {
			t.Errorf("%s still has %s", h.mount, group)
		}
	}
}

// Entering is for this very process, so another one does it here.
func TestEnter(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for control groups")
	}
	tree, err := Open()
	if err != nil {
		t.Skip(err)
	}
	if group := os.Getenv("ENTER"); group != "" {
		if err := tree.Enter(group); err != nil {
			t.Fatal(err)
		}
		pids, err := tree.Procs(group)
		if err != nil || !slices.Equal(pids, []int{os.Getpid()}) {
			t.Fatalf("entered, and Procs %v, %v", pids, err)
		}
		return
	}
	group := "/drover-unit-enter-" + strconv.Itoa(os.Getpid())
	if err := tree.Create(group); err != nil {
		t.Skipf("control groups cannot be made here: %v", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestEnter$", "-test.count=1")
	cmd.Env = append(os.Environ(), "ENTER="+group)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := tree.Remove(t.Context(), group); err != nil {
		t.Error(err)
	}
}
