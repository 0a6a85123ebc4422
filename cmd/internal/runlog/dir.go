package runlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// None is the directory's name that switches logs off.
const None = "none"

// Keep is how many logs of each command are kept: what looks every few minutes is
// not to push out what changed something.
const Keep = 50

// Dir is where logs go unless the operator says otherwise.
func Dir(getenv func(string) string) (string, error) {
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) { // its specification ignores others
		return filepath.Join(state, "drover", "runs"), nil
	}
	home := getenv("HOME")
	if home == "" && os.Geteuid() == 0 {
		return "/var/log/drover", nil // as Puppet runs things
	}
	if home == "" {
		u, err := user.Current()
		if err != nil {
			return "", fmt.Errorf("$HOME is not set: %w", err)
		}
		home = u.HomeDir
	}
	return filepath.Join(home, ".local", "state", "drover", "runs"), nil
}

// prepare makes the directory. One that is drover's own is nobody else's to read;
// one that the operator names is theirs, and stays as it is when it is there.
func prepare(dir string, own bool) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	if own && info.Mode().Perm() != 0o700 {
		return os.Chmod(dir, 0o700) //nolint:gosec // a directory
	}
	return nil
}

// fileName is a log's: by time in a listing, and unlike that of a run which begins
// at the same moment.
func fileName(at time.Time, command string) string {
	return fmt.Sprintf("%s-%d-%s.jsonl", at.UTC().Format("20060102T150405.000Z"), os.Getpid(), command)
}

var ours = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-\d+-([a-z-]+)\.jsonl$`)

// prune removes all but the newest logs of a command, and nothing that is no log.
func prune(dir, command string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if m := ours.FindStringSubmatch(e.Name()); m != nil && m[1] == command && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, strings.Compare) // their names begin with the time
	var errs []error
	for _, name := range names[:max(0, len(names)-Keep)] {
		if err := os.Remove(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) { // another run was faster
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
