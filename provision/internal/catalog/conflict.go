package catalog

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Claims are what drover is about to write on a host.
type Claims struct {
	Files []string
	// Gone are files it is about to take away.
	Gone    []string
	Units   []string
	Stopped []string // units that are not to run: those of packages that it installs
	// Packages are those it is about to install.
	Packages []string
	Sysctls  map[string]string // with the values they are to have
}

// Conflict is a thing that Puppet manages and drover is about to write.
type Conflict struct {
	What string // the path, unit, package or setting
	Resource
	Why string // what becomes of it
	// Bearable says that the two may well live together.
	Bearable bool
	// Fix is what to do about it; empty is to leave the thing to one of the two.
	Fix string
}

func (c Conflict) String() string {
	return fmt.Sprintf("%s: Puppet's %s %s (%s)", c.What, c.Resource, c.Why, c.Place())
}

// Conflicts tells where what Puppet manages collides with claims, in their order.
func Conflicts(m Managed, claims Claims) []Conflict {
	var all []Conflict
	for _, r := range m.Resources {
		if r.parameters["noop"] == "true" { // it only tells
			continue
		}
		all = append(all, r.against(claims)...)
	}
	slices.SortStableFunc(all, func(a, b Conflict) int { return strings.Compare(a.What, b.What) })
	return all
}

func (r Resource) against(c Claims) []Conflict {
	kind := strings.ToLower(r.Type)
	switch {
	case kind == "file":
		return slices.Concat(r.file(c), r.settingsFile(c))
	case kind == "package":
		return r.pkg(c)
	case kind == "service":
		return r.service(c)
	case kind == "sysctl", strings.HasPrefix(kind, "sysctl::"):
		return r.sysctl(c)
	case kind == "mount", kind == "swap_file", strings.HasPrefix(kind, "swap_file::"):
		return r.swap(c)
	}
	return r.part(c)
}

func (r Resource) conflict(what, why string) []Conflict {
	return []Conflict{{What: what, Resource: r, Why: why}}
}

// named is what a resource is about: a parameter, or else the title.
func (r Resource) named(parameter string) string {
	if v := r.parameters[parameter]; v != "" {
		return v
	}
	return r.Title
}

func (r Resource) file(c Claims) (all []Conflict) {
	at, ensure := path.Clean(r.named("path")), r.parameters["ensure"]
	for _, f := range c.Files {
		switch {
		case f == at && ensure == "absent":
			all = append(all, r.conflict(f, "removes it")...)
		case f == at:
			all = append(all, r.conflict(f, "writes it")...)
		case r.purges(at, f):
			all = append(all, r.conflict(f, "removes what is in that directory and not in its manifests")...)
		case strings.HasPrefix(f, at+"/") && (ensure == "absent" || ensure == "link" || ensure == "file"):
			all = append(all, r.conflict(f, "wants no directory there: ensure => "+ensure)...)
		}
	}
	if slices.Contains(c.Gone, at) && ensure != "absent" {
		all = append(all, r.conflict(at, "writes it, and drover takes it away")...)
	}
	return append(all, r.dropIn(at, c)...)
}

// unitDirs are where systemd reads drop-ins, in directories named UNIT.d.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// dropIn is a file that adds settings to a unit of drover's. That is what drop-ins are
// for, but it changes what drover makes, so it is told.
func (r Resource) dropIn(at string, c Claims) []Conflict {
	unit, is := strings.CutSuffix(path.Base(path.Dir(at)), ".d")
	if !is || r.parameters["ensure"] == "absent" || path.Ext(at) != ".conf" || !slices.Contains(c.Units, unit) || !slices.Contains(unitDirs, path.Dir(path.Dir(at))) {
		return nil
	}
	return []Conflict{{
		What: unit, Resource: r, Bearable: true, Why: "adds settings in a drop-in, " + at + ", that count more than drover's",
		Fix: "see that they are still meant for this unit: drover neither reads nor writes that file",
	}}
}

// purges reports whether a directory's resource removes a file below it.
func (r Resource) purges(dir, file string) bool {
	below, inside := strings.CutPrefix(file, strings.TrimSuffix(dir, "/")+"/")
	recurse := r.parameters["recurse"]
	if !inside || r.parameters["purge"] != "true" || recurse != "true" && recurse != "inf" {
		return false
	}
	steps := strings.Split(below, "/")
	// What is below the limit is in a directory that is above it, and goes with that.
	if limit, err := strconv.Atoi(r.parameters["recurselimit"]); err == nil && limit < 1 {
		return false
	}
	for pattern := range strings.SplitSeq(r.parameters["ignore"], "\n") {
		for _, s := range steps {
			if ok, err := path.Match(pattern, s); ok && err == nil {
				return false
			}
		}
	}
	return true
}

// part is a resource of which a file is a part: a line, a setting, what is put together
// of fragments.
func (r Resource) part(c Claims) (all []Conflict) {
	of := []string{r.parameters["path"], r.parameters["target"], r.parameters["incl"]}
	if kind := strings.ToLower(r.Type); kind == "concat" || kind == "concat_file" {
		of = append(of, r.Title)
	}
	for _, f := range c.Files {
		if slices.Contains(of, f) {
			all = append(all, r.conflict(f, "writes it, or a part of it")...)
		}
	}
	slices.Sort(of)
	for _, at := range slices.Compact(of) {
		all = append(all, r.dropIn(path.Clean(at), c)...)
	}
	return all
}

// bringers are packages that bring what drover installs itself, by the unit they would
// run.
var bringers = map[string][]string{
	"containerd.service": {"containerd", "containerd.io", "docker.io", "docker-ce", "docker-engine"},
	"kubelet.service":    {"kubelet", "kubernetes-node"},
	"etcd.service":       {"etcd", "etcd-server"},
}

func (r Resource) pkg(c Claims) (all []Conflict) {
	name, ensure := r.named("name"), r.parameters["ensure"]
	name, _, _ = strings.Cut(name, ":") // the architecture
	gone := ensure == "absent" || ensure == "purged"
	for _, unit := range c.Units {
		if slices.Contains(bringers[unit], name) && !gone {
			all = append(all, r.conflict(unit, "installs another one: drover brings its own, in /opt/drover")...)
		}
	}
	if !slices.Contains(c.Packages, name) {
		return all
	}
	switch {
	case gone:
		return append(all, r.conflict("package "+name, "removes it: ensure => "+ensure)...)
	case r.Bare, ensure == "", ensure == "present", ensure == "installed", ensure == "held":
		return all // both want it
	}
	return append(all, Conflict{What: "package " + name, Resource: r, Why: "decides on its version: ensure => " + ensure, Bearable: true})
}

func (r Resource) service(c Claims) []Conflict {
	name := r.named("name")
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	runs := r.parameters["ensure"] == "running" || r.parameters["ensure"] == "true" || r.parameters["enable"] == "true"
	switch {
	case slices.Contains(c.Units, name):
		return r.conflict(name, "starts, stops and restarts it")
	case slices.Contains(c.Stopped, name) && (runs || r.Bare):
		return []Conflict{{What: name, Resource: r, Bearable: r.Bare, Why: "starts it, and drover disables it: it has a unit and a configuration of its own for the same program"}}
	}
	return nil
}

func (r Resource) sysctl(c Claims) []Conflict {
	key := r.named("key")
	if r.parameters["key"] == "" {
		key = r.named("name")
	}
	want, claimed := c.Sysctls[key]
	if !claimed {
		return nil
	}
	if r.Bare {
		return []Conflict{{What: "sysctl " + key, Resource: r, Why: "sets it, to what is not known", Bearable: true}}
	}
	have := r.parameters["value"]
	if have == "" {
		have = r.parameters["val"]
	}
	switch {
	case r.parameters["ensure"] == "absent":
		return r.conflict("sysctl "+key, "removes it")
	case value(have) == value(want):
		return nil
	}
	return r.conflict("sysctl "+key, fmt.Sprintf("sets it to %q, and drover to %q", have, want))
}

func value(text string) string { return strings.Join(strings.Fields(text), " ") }

func isSysctlFile(p string) bool { return p == "/etc/sysctl.conf" || path.Dir(p) == "/etc/sysctl.d" }

// settingsFile is a file of kernel settings: drover's is read last at boot, but whoever
// loads another one sets what that says.
func (r Resource) settingsFile(c Claims) (all []Conflict) {
	at := path.Clean(r.named("path"))
	if !isSysctlFile(at) || r.parameters["ensure"] == "absent" {
		return nil
	}
	for line := range strings.Lines(r.parameters["content"]) {
		key, have, ok := strings.Cut(strings.TrimSpace(line), "=")
		key = strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(key, "-")), "/", ".")
		if want, claimed := c.Sysctls[key]; ok && claimed && value(have) != value(want) {
			all = append(all, r.conflict("sysctl "+key, fmt.Sprintf("sets it to %q in %s, and drover to %q", value(have), at, want))...)
		}
	}
	return all
}

// swap is what a kubelet does not start with.
func (r Resource) swap(c Claims) []Conflict {
	ensure := r.parameters["ensure"]
	if !slices.Contains(c.Units, "kubelet.service") || ensure == "absent" || ensure == "unmounted" {
		return nil
	}
	if strings.EqualFold(r.Type, "mount") && r.parameters["fstype"] != "swap" {
		return nil
	}
	return r.conflict("swap", "turns swap on, with which the kubelet does not start")
}
