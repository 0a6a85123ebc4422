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
	"strconv"
	"strings"
	"time"
)

// traces are what labs leave on a machine while they live, by kind. Those of
// other people's labs are left out: they may come and go meanwhile.
type traces map[string][]string

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
			// What all labs share stays as long as there is one.
			return ofOtherLab(trace) || others && (filepath.Base(trace) == "drover-lab" || trace == "/run/systemd/nspawn")
		})
		slices.Sort(found)
		t[kind] = found
	}
	return t, errors.Join(errs...)
}

// anyLab matches what belongs to a lab by its name, however it is written:
// drover-lab.NAME.PARTY, /drover-lab/NAME/… or drover-lab:NAME.
var anyLab = regexp.MustCompile(`(?:drover-lab[.:]|/drover-lab/)([a-z0-9-]+)`)

func ofOtherLab(trace string) bool {
	m := anyLab.FindStringSubmatch(trace)
	return m != nil && !slices.ContainsFunc(allLabs(), func(l lab) bool { return l.name == m[1] })
}

// awaitSame waits until this machine is as it was. Processes that were told to
// die take a moment, and so does the kernel with what they held. Traces that
// mention one of except do not count.
func (t traces) awaitSame(except []string) error {
	return poll(context.Background(), 10*time.Second, func() error {
		now, err := takeTraces()
		if err != nil {
			return err
		}
		var errs []error
		for kind, was := range t {
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
	for _, dir := range []string{stateDir, tempDir()} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if path != tempDir() {
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

// process is one of the process table.
type process struct {
	pid    int
	args   []string
	groups string
}

func (p process) String() string { return fmt.Sprintf("%d %s", p.pid, strings.Join(p.args, " ")) }

func (p process) mentions(word string) bool {
	return slices.ContainsFunc(p.args, func(a string) bool { return strings.Contains(a, word) })
}

func (p process) runs(program string) bool {
	return len(p.args) > 0 && p.args[0] == program
}

// processes are those the filter keeps. Zombies have ended: their parent has
// not looked yet.
func processes(keep func(process) bool) ([]process, error) {
	pids, err := names("/proc")
	if err != nil {
		return nil, err
	}
	var found []process
	for _, name := range pids {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join("/proc", name)
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		args, err2 := os.ReadFile(filepath.Join(dir, "cmdline"))
		groups, err3 := os.ReadFile(filepath.Join(dir, "cgroup"))
		if errors.Join(err, err2, err3) != nil {
			continue // it ended while we looked
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		p := process{pid: pid, args: strings.Split(strings.TrimRight(string(args), "\x00"), "\x00"), groups: string(groups)}
		if !strings.HasPrefix(rest, "Z") && keep(p) {
			found = append(found, p)
		}
	}
	return found, nil
}

// labProcesses are those in a control group of the suites' labs, and those whose
// command line names one of their directories.
func labProcesses() ([]string, error) {
	found, err := processes(func(p process) bool {
		for _, l := range allLabs() {
			if strings.Contains(p.groups, "/drover-lab/"+l.name+"\n") || strings.Contains(p.groups, "/drover-lab/"+l.name+"/") {
				return true
			}
		}
		return p.mentions(stateDir) || p.mentions(workDir())
	})
	var lines []string
	for _, p := range found {
		lines = append(lines, p.String())
	}
	return lines, err
}
