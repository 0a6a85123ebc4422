package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoMemory says that this machine does not account memory by group.
var ErrNoMemory = errors.New("memory is not accounted by control group here")

// WorkingSet is the memory the group and all below it use in bytes, less the
// page cache that could be dropped at once: the figure the kubelet calls the
// working set.
func (t Tree) WorkingSet(group string) (int64, error) {
	for _, h := range t.hierarchies {
		usage, inactive := "memory.current", "inactive_file"
		switch {
		case slices.Contains(h.controllers, "memory"):
			usage, inactive = "memory.usage_in_bytes", "total_inactive_file"
		case !h.unified:
			continue
		}
		dir := filepath.Join(h.mount, group)
		used, err := readInt(filepath.Join(dir, usage))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("cgroup %s: %w", group, err)
		}
		cached, err := readStat(filepath.Join(dir, "memory.stat"), inactive)
		if err != nil {
			return 0, fmt.Errorf("cgroup %s: %w", group, err)
		}
		return max(0, used-cached), nil
	}
	return 0, ErrNoMemory
}

func readInt(path string) (int64, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
}

func readStat(path, key string) (int64, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			return strconv.ParseInt(v, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s: no %s", path, key)
}
