package fleettest

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// answer is the last that a probe was given: a host that did not change says the
// same, at no cost that would be taken for drover's.
type answer struct {
	script string
	files  map[string]hosttest.File
	units  map[string]hosttest.Unit
	sysctl map[string]string
	text   []byte
}

// probed plays the probe: it reads what is asked for out of the script, and tells
// what the machine holds of it.
func (h *Host) probed(s *hosttest.State, c hosttest.Call) host.Result {
	script := string(c.Stdin)
	a := &h.probe
	if a.script == script && maps.Equal(a.files, s.Files) && maps.Equal(a.units, s.Units) && maps.Equal(a.sysctl, s.Sysctls) {
		return host.Result{Stdout: a.text}
	}
	text, err := h.tell(s, script)
	if err != nil {
		return host.Result{Exit: 64, Stderr: []byte(err.Error())}
	}
	*a = answer{script, maps.Clone(s.Files), maps.Clone(s.Units), maps.Clone(s.Sysctls), text}
	return host.Result{Stdout: text}
}

func (h *Host) machineID() string {
	if h.generation > 0 {
		return digest(fmt.Sprint(h.Name, " ", h.generation))[:32]
	}
	return digest(h.Name)[:32]
}

// asked are the sections of a probe's script, by their names.
func asked(script string) (map[string]string, error) {
	sections := map[string]string{}
	parts := strings.Split(script, "\necho '@@drover@@ ")
	for _, part := range parts[1:] {
		name, body, ok := strings.Cut(part, "'\n")
		if !ok {
			return nil, fmt.Errorf("fleettest: no section in %q", part)
		}
		sections[name] = body
	}
	if _, whole := sections["end"]; !whole {
		return nil, fmt.Errorf("fleettest: a probe without its end:\n%s", script)
	}
	return sections, nil
}

// words are those of a loop's list: `for x in A 'B'; do`.
func words(body, before, after string) []string {
	_, rest, ok := strings.Cut(body, before)
	if !ok {
		return nil
	}
	list, _, _ := strings.Cut(rest, after)
	out := strings.Fields(list)
	for i, w := range out {
		out[i] = strings.Trim(w, "'")
	}
	return out
}

func (h *Host) tell(s *hosttest.State, script string) ([]byte, error) {
	sections, err := asked(script)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	if before, _, ok := strings.Cut(script, "\n)\n"); ok { // the cluster's keys are asked for, too
		out.Write(bundle(s, hosttest.Call{Stdin: []byte(before)}).Stdout)
	}
	section := func(name string) { fmt.Fprintf(&out, "@@drover@@ %s\n", name) }
	section("values")
	fmt.Fprintf(&out, "==> /etc/machine-id <==\n%s\n\n==> /proc/sys/kernel/hostname <==\n%s\n", h.machineID(), h.Name)
	for _, file := range words(sections["values"], "head -v -n 1 -- ", " 2>") {
		switch file {
		case "/proc/meminfo":
			fmt.Fprintf(&out, "\n==> %s <==\nMemTotal:       %d kB\n", file, memoryKiB)
		case "/sys/devices/system/cpu/online":
			fmt.Fprintf(&out, "\n==> %s <==\n0-%d\n", file, cores-1)
		}
		if key, ok := strings.CutPrefix(file, "/proc/sys/"); ok && file != "/proc/sys/kernel/hostname" {
			v, set := s.Sysctls[strings.ReplaceAll(key, "/", ".")]
			if !set {
				v = "0"
			}
			fmt.Fprintf(&out, "\n==> %s <==\n%s\n", file, v)
		}
	}
	section("files")
	for _, n := range inScope(s, sections["files"]) {
		tellFile(&out, n, s.Files[n])
	}
	if body, verified := sections["digests"]; verified {
		section("digests")
		for _, n := range inScope(s, body) {
			if f := s.Files[n]; f.Kind == hosttest.Regular {
				fmt.Fprintf(&out, "%s  %s\n", digest(f.Content), n)
			}
		}
	}
	section("units")
	for _, u := range words(sections["units"], " -- ", "\n") {
		tellUnit(&out, s, u)
	}
	section("commands")
	for _, c := range words(sections["commands"], "for c in ", ";") {
		fmt.Fprintln(&out, c)
	}
	section("end")
	return []byte(out.String()), nil
}

// large are files that a real host has more of than a look digests unasked: programs.
func large(name string) bool {
	return strings.HasPrefix(name, "/opt/drover/") && !strings.HasSuffix(name, ".drover")
}

// inScope are the names that the script comes upon: directories that were asked
// for by themselves, trees with all below them, and other single ones.
func inScope(s *hosttest.State, body string) []string {
	found := map[string]bool{}
	for line := range strings.Lines(body) {
		list := words(line, "for p in ", "; do ")
		_, test, _ := strings.Cut(line, "; do ")
		for _, p := range list {
			f, there := s.Files[p]
			dir := there && f.Kind == hosttest.Directory
			switch {
			case strings.HasPrefix(test, `[ -d "$p" ]`):
				if dir {
					found[p] = true
				}
			case strings.Contains(test, `[ ! -d "$p" ]`):
				if there && !dir {
					found[p] = true
				}
			default:
				for _, n := range s.Below(p) {
					found[n] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// tellFile tells what a file is, its digest, and, when it is a text, its lines.
func tellFile(out *strings.Builder, name string, f hosttest.File) {
	kind, rest := 0x8000, ""
	switch f.Kind {
	case hosttest.Directory:
		kind = 0x4000
	case hosttest.Symlink:
		kind, rest = 0xa000, " -> '"+f.Target+"'"
	}
	fmt.Fprintf(out, "=%x %s %d %s '%s'%s\n", kind|int(f.Mode.Perm()), f.Owner, len(f.Content), stamp(f), name, rest)
	if f.Kind != hosttest.Regular {
		return
	}
	if !large(name) {
		fmt.Fprintf(out, "%s  %s\n", digest(f.Content), name)
	}
	if strings.HasSuffix(name, ".crt") || strings.HasSuffix(name, ".drover") || strings.HasSuffix(name, "/haproxy.cfg") || strings.HasSuffix(name, "/drover.json") {
		for line := range strings.Lines(f.Content) {
			fmt.Fprintf(out, "%s\x00%s\n", name, strings.TrimSuffix(line, "\n"))
		}
	}
}

func tellUnit(out *strings.Builder, s *hosttest.State, name string) {
	u := s.Units[name]
	load, active, enabled, file := "not-found", "inactive", "", manifests.UnitDir+"/"+name
	if _, there := s.Files[file]; there {
		load, enabled = "loaded", "disabled"
		if u.Active {
			active = "active"
		}
		if u.Enabled {
			enabled = "enabled"
		}
	} else {
		file = ""
	}
	fmt.Fprintf(out, "Id=%s\nLoadState=%s\nActiveState=%s\nSubState=\nUnitFileState=%s\nNeedDaemonReload=no\nFragmentPath=%s\n\n", name, load, active, enabled, file)
}

func fileMode(m uint64) fs.FileMode { return fs.FileMode(m) & fs.ModePerm }
