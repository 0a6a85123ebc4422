package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Suite is the Debian release of every root file system of a lab.
const Suite = "bookworm"

// fallbackMirror serves the suite when this machine's own apt sources do not.
const fallbackMirror = "http://deb.debian.org/debian"

// Options say what goes into a root file system.
type Options struct {
	// Packages are installed besides those apt calls essential.
	Packages []string
	// Hooks are shell commands run at the end, with the root directory as $1.
	Hooks []string
	// Log receives mmdebstrap's own messages; nil discards them.
	Log io.Writer
}

// Bootstrap makes a Debian root at target: a tarball when target ends in .tar,
// else a directory. A target that exists is an error; on any error the target
// is removed again. Scratch files lie in target's directory.
func Bootstrap(ctx context.Context, target string, o Options) error {
	if _, err := os.Lstat(target); err == nil {
		return fmt.Errorf("debian root %s: exists already", target)
	}
	args := []string{
		"--mode=root", "--variant=minbase",
		"--include=" + strings.Join(o.Packages, ","),
		// A lab's root is thrown away and rebuilt: documentation and
		// translations only cost time and page cache.
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	for _, h := range o.Hooks {
		args = append(args, "--customize-hook="+h)
	}
	sources, err := aptSources("/etc/apt")
	if err != nil {
		return err
	}
	args = append(append(args, Suite, target), sources...)

	var tail bytes.Buffer
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	// Killed half-way it would leave its mounts and its scratch directories
	// behind: the first end with a namespace of its own, the others lie where
	// the caller cleans up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(target))
	cmd.Stderr = &tail
	if o.Log != nil {
		cmd.Stderr = io.MultiWriter(&tail, o.Log)
	}
	if err := cmd.Run(); err != nil {
		return errors.Join(
			fmt.Errorf("mmdebstrap %s: %w\n%s", filepath.Base(target), err, lastLines(tail.String(), 15)),
			os.RemoveAll(target))
	}
	return nil
}

// aptSources are the files below dir (apt's own directory) that name the suite,
// in the form mmdebstrap takes them; sources of other suites or vendors would
// only add packages a lab does not know.
func aptSources(dir string) ([]string, error) {
	candidates := []string{filepath.Join(dir, "sources.list")}
	for _, pattern := range []string{"*.list", "*.sources"} {
		found, err := filepath.Glob(filepath.Join(dir, "sources.list.d", pattern))
		if err != nil {
			return nil, fmt.Errorf("apt sources: %w", err)
		}
		candidates = append(candidates, found...)
	}
	var sources []string
	for _, path := range candidates {
		content, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("apt sources: %w", err)
		}
		if namesSuite(string(content)) {
			sources = append(sources, path)
		}
	}
	if len(sources) == 0 {
		return []string{fallbackMirror}, nil
	}
	return sources, nil
}

// namesSuite reports whether an apt source file names the suite outside of
// comments, as a word of its own ("cloud-sdk-bookworm" is another suite).
func namesSuite(content string) bool {
	for line := range strings.Lines(content) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			if word == Suite {
				return true
			}
		}
	}
	return false
}

// lastLines are the last n lines of s: the end of a log is where the reason is.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
