package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is one mounted cgroup tree.
type hierarchy struct {
	mount       string
	unified     bool
	controllers []string // v1 only: "cpuset", "name=systemd", …
}

// Tree is this machine's cgroup hierarchies, taken together: a group of the
// tree exists under the same path in each of them.
type Tree struct{ hierarchies []hierarchy }

// Open finds the hierarchies this machine has mounted.
func Open() (Tree, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Tree{}, fmt.Errorf("cgroups: %w", err)
	}
	defer f.Close()
	return parseMounts(f)
}

// parseMounts reads the hierarchies out of a mountinfo file.
func parseMounts(r io.Reader) (Tree, error) {
	var t Tree
	for s := bufio.NewScanner(r); s.Scan(); {
		before, after, ok := strings.Cut(s.Text(), " - ")
		if !ok {
			continue
		}
		mount, fstype := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(fstype) < 3 {
			continue
		}
		h := hierarchy{mount: mount[4], unified: fstype[0] == "cgroup2"}
		if fstype[0] == "cgroup" {
			h.controllers = strings.Split(fstype[2], ",")
		}
		if fstype[0] == "cgroup" || h.unified {
			t.hierarchies = append(t.hierarchies, h)
		}
	}
	if len(t.hierarchies) == 0 {
		return t, errors.New("cgroups: no cgroup file system is mounted: mount one, as in `mount -t cgroup2 none /sys/fs/cgroup`")
	}
	return t, nil
}

// Version tells people which form was found: "v1", "v2" or "v1 (hybrid)".
func (t Tree) Version() string {
	unified := slices.ContainsFunc(t.hierarchies, func(h hierarchy) bool { return h.unified })
	switch {
	case unified && len(t.hierarchies) == 1:
		return "v2"
	case unified:
		return "v1 (hybrid)"
	default:
		return "v1"
	}
}

// V1 reports whether controllers live in v1 hierarchies.
func (t Tree) V1() bool { return t.Version() != "v2" }

// Create makes the group in every hierarchy, with its parents.
func (t Tree) Create(group string) error {
	for _, h := range t.hierarchies {
		if err := h.create(group); err != nil {
			return fmt.Errorf("cgroup %s: %w", group, err)
		}
	}
	return nil
}

func (h hierarchy) create(group string) error {
	dir := h.mount
	for _, name := range strings.Split(strings.Trim(group, "/"), "/") {
		parent := dir
		dir = filepath.Join(dir, name)
		if h.unified {
			h.delegate(parent)
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if slices.Contains(h.controllers, "cpuset") {
			// A v1 cpuset starts empty and takes no process until it is filled.
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				if err := inherit(parent, dir, file); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// delegate passes a v2 group's controllers on to its children. A controller
// that cannot be passed on only costs a limit or a figure, never the machine.
func (h hierarchy) delegate(dir string) {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, c := range strings.Fields(string(have)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
	}
}

func inherit(parent, dir, file string) error {
	have, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(have)) != "" {
		return nil
	}
	value, err := os.ReadFile(filepath.Join(parent, file))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), value, 0)
}

// Enter moves this process into the group. Children started later are born there.
func (t Tree) Enter(group string) error { return t.Move(group, os.Getpid()) }

// Move creates the group and moves a process, with all its threads, into it in
// every hierarchy.
func (t Tree) Move(group string, pid int) error {
	if err := t.Create(group); err != nil {
		return err
	}
	for _, h := range t.hierarchies {
		procs := filepath.Join(h.mount, group, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("cgroup %s: enter: %w", group, err)
		}
	}
	return nil
}

// Procs are the processes in the group and below it, in any hierarchy.
func (t Tree) Procs(group string) ([]int, error) {
	found := map[int]bool{}
	for _, h := range t.hierarchies {
		for _, dir := range below(filepath.Join(h.mount, group)) {
			content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
				continue // gone since we listed it
			}
			if err != nil {
				return nil, fmt.Errorf("cgroup %s: %w", group, err)
			}
			for _, field := range strings.Fields(string(content)) {
				// 0 stands for a process outside of our own PID namespace.
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					found[pid] = true
				}
			}
		}
	}
	pids := make([]int, 0, len(found))
	for pid := range found {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids, nil
}

// Running reports whether anything lives in the group.
func (t Tree) Running(group string) (bool, error) {
	pids, err := t.Procs(group)
	return len(pids) > 0, err
}

// Children are the names of the groups directly below the group.
func (t Tree) Children(group string) []string {
	found := map[string]bool{}
	for _, h := range t.hierarchies {
		entries, _ := os.ReadDir(filepath.Join(h.mount, group)) // absent is empty
		for _, e := range entries {
			if e.IsDir() {
				found[e.Name()] = true
			}
		}
	}
	names := make([]string, 0, len(found))
	for n := range found {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Kill ends every process in the group and below it, and returns when none is
// left. A process that is being created while others die is caught by looking
// again.
func (t Tree) Kill(ctx context.Context, group string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		pids, err := t.Procs(group)
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("cgroup %s: kill %d: %w", group, pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cgroup %s: processes %v do not die: %w", group, pids, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Remove deletes the empty group and all below it from every hierarchy; an
// absent group is done.
func (t Tree) Remove(ctx context.Context, group string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, h := range t.hierarchies {
		if err := removeTree(ctx, filepath.Join(h.mount, group)); err != nil {
			return fmt.Errorf("cgroup %s: %w", group, err)
		}
	}
	return nil
}

// RemoveIfEmpty removes the group where it has neither processes nor children, and
// tells whether it is gone everywhere.
func (t Tree) RemoveIfEmpty(group string) bool {
	gone := true
	for _, h := range t.hierarchies {
		err := os.Remove(filepath.Join(h.mount, group)) // refused by the kernel while in use
		gone = gone && (err == nil || errors.Is(err, fs.ErrNotExist))
	}
	return gone
}

func removeTree(ctx context.Context, dir string) error {
	for {
		dirs := below(dir)
		if len(dirs) == 0 {
			return nil
		}
		var last error
		for _, d := range slices.Backward(dirs) { // children before parents
			if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
				last = err // a process that died a moment ago still holds it
			}
		}
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove: %w (%w)", last, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// below lists dir and every directory under it, parents first; none when dir is
// absent. What vanishes meanwhile is left out.
func below(dir string) []string {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // gone meanwhile
		}
		if e.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}
