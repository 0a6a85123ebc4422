package components

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// preflight finds what would make a build fail after minutes: commands that
// are missing, and disk space.
func (b builder) preflight(sets []planned) error {
	if b.options.Download != nil {
		return nil
	}
	var problems []error
	var commands, apt []string
	var space int64
	for _, p := range sets {
		if p.record != nil {
			continue
		}
		space += p.recipe.space
		for _, c := range p.recipe.commands {
			if _, err := exec.LookPath(c); err != nil && !slices.Contains(commands, c) {
				commands = append(commands, c)
				apt = append(apt, p.recipe.apt...)
			}
		}
	}
	if len(commands) > 0 {
		slices.Sort(apt)
		problems = append(problems, fmt.Errorf("building components takes %s, which is not installed: apt-get install %s",
			strings.Join(commands, " and "), strings.Join(slices.Compact(apt), " ")))
	}
	if space > 0 {
		problems = append(problems, enoughSpace(b.cache.Dir, space))
	}
	return errors.Join(problems...)
}

// enoughSpace checks the file system that will hold dir. The compiler's own
// cache is most often on the same one and counted with it.
func enoughSpace(dir string, need int64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("component cache: %w", err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("component cache: %s: %w", dir, err)
	}
	const gib = 1 << 30
	if free := int64(fs.Bavail) * fs.Bsize; free < need {
		return fmt.Errorf("building components takes about %.1f GiB in %s and the compiler's cache, and %.1f GiB are free: make room, or set XDG_CACHE_HOME to another disk",
			float64(need)/gib, dir, float64(free)/gib)
	}
	return nil
}
