package labtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// traces are what labs leave on a machine while they live, by kind. Those of
// other people's labs are left out: they may come and go meanwhile.
type traces map[string][]string

// ofAllLabs is the kind of what all labs share, which stays as long as there is
// one: nil while there are labs of other people's.
const ofAllLabs = "of all labs"

// takeTraces looks at this machine.
func takeTraces() (traces, error) {
	t := traces{}
	groups, err := controlGroups()
	errs := []error{err}
	others := slices.ContainsFunc(groups, ofOtherLab)
	for kind, look := range map[string]func() ([]string, error){
		"network namespaces": func() ([]string, error) { return names("/run/netns") },
		"mounts":             mounts,
		"control groups":     controlGroups,
		"processes":          labProcesses,
		"interfaces":         interfaces,
		"files":              files,
	} {
		found, err := look()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", kind, err))
		}
		found = slices.DeleteFunc(found, func(trace string) bool {
			if shared := filepath.Base(trace) == "drover-lab" || trace == "/run/systemd/nspawn"; shared {
				t[ofAllLabs] = append(t[ofAllLabs], trace)
				return true
			}
			return ofOtherLab(trace)
		})
		slices.Sort(found)
		t[kind] = found
	}
	if others {
		t[ofAllLabs] = nil // it comes and goes with them
	} else if t[ofAllLabs] == nil {
		t[ofAllLabs] = []string{}
	}
	return t, errors.Join(errs...)
}

// anyLab matches what belongs to a lab by its name, however it is written:
// drover-lab.NAME.PARTY, /drover-lab/NAME/… or drover-lab:NAME.
var anyLab = regexp.MustCompile(`(?:drover-lab[.:]|/drover-lab/)([a-z0-9-]+)`)

func ofOtherLab(trace string) bool {
	m := anyLab.FindStringSubmatch(trace)
	return m != nil && !slices.ContainsFunc(suite.Labs, func(l labkit.Lab) bool { return l.Name == m[1] })
}

// awaitSame waits until this machine is as it was. Processes that were told to
// die take a moment, and so does the kernel with what they held. Traces that
// mention one of except do not count.
func (t traces) awaitSame(except []string) error {
	return labkit.Poll(context.Background(), 10*time.Second, func() error {
		now, err := takeTraces()
		if err != nil {
			return err
		}
		var errs []error
		for kind, was := range t {
			if kind == ofAllLabs && (was == nil || now[kind] == nil) {
				continue
			}
			for _, n := range now[kind] {
				if !slices.Contains(was, n) && !slices.ContainsFunc(except, func(e string) bool { return strings.Contains(n, e) }) {
					errs = append(errs, fmt.Errorf("left behind: %s: %s", kind, n))
				}
			}
			for _, w := range was {
				// An empty directory of namespaces is no mount after a down: `ip
				// netns add` makes it one.
				if !slices.Contains(now[kind], w) && !strings.Contains(w, " /run/netns ") {
					errs = append(errs, fmt.Errorf("gone, and was not the lab's: %s: %s", kind, w))
				}
			}
		}
		return errors.Join(errs...)
	})
}

func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found, err
}

func mounts() ([]string, error) {
	content, err := os.ReadFile("/proc/self/mounts")
	return strings.Split(strings.TrimSpace(string(content)), "\n"), err
}

// labGroup matches the control groups a lab has to do with; a machine has others
// that come and go.
var labGroup = regexp.MustCompile(`drover|nspawn|/lt-`)

// controlGroups are those of labs, in every hierarchy.
func controlGroups() ([]string, error) {
	var found []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone while we walked
		case err != nil:
			return err
		case e.IsDir() && labGroup.MatchString(path):
			found = append(found, path)
		}
		return nil
	})
	return found, err
}

// interfaces of this machine, by name and alias: the alias says whose it is.
func interfaces() ([]string, error) {
	found, err := names("/sys/class/net")
	for i, n := range found {
		alias, _ := os.ReadFile(filepath.Join("/sys/class/net", n, "ifalias")) // gone meanwhile: no alias
		found[i] = strings.TrimSpace(n + " " + string(alias))
	}
	return found, err
}

// files are those in the suites' state and temporary directories, and what the
// tools of a lab are known to put elsewhere.
func files() ([]string, error) {
	var found []string
	for _, dir := range []string{stateDir, labkit.TempDir()} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if path != labkit.TempDir() {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			return found, err
		}
	}
	for _, pattern := range []string{"/tmp/*nspawn*", "/tmp/mmdebstrap*", "/tmp/drover-lab*", "/run/*nspawn*", "/run/*/*nspawn*", "/run/drover*", "/var/lib/.drover*", "/dev/shm/*"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			return found, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// labProcesses are those in a control group of the suites' labs, and those whose
// command line names one of their directories.
func labProcesses() ([]string, error) {
	found, err := labkit.Processes(func(p labkit.Process) bool {
		for _, l := range suite.Labs {
			if strings.Contains(p.Groups, "/drover-lab/"+l.Name+"\n") || strings.Contains(p.Groups, "/drover-lab/"+l.Name+"/") {
				return true
			}
		}
		return p.Mentions(stateDir) || p.Mentions(labkit.WorkDir())
	})
	var lines []string
	for _, p := range found {
		lines = append(lines, p.String())
	}
	return lines, err
}
