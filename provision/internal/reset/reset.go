package reset

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/history"
	"github.com/droverctl/drover/provision/internal/lock"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
)

//go:embed reset.sh
var functions string

// Host is what drover may have put on one host.
type Host struct {
	Name  string
	Units []string
	Files []string
	// Networks are those that BIRD may have set routes into: the pods', and what
	// the BIG-IPs may announce. Other routes of a BIRD are another BIRD's.
	Networks []netip.Prefix
}

// Of is what these resources are on a host. What they say of other hosts, and of
// the cluster, is passed over.
func Of(name string, rs []resource.Resource, networks []netip.Prefix) Host {
	h := Host{Name: name, Networks: networks}
	for _, r := range rs {
		switch r := r.(type) {
		case resource.Unit:
			if r.Host == name {
				h.Units = append(h.Units, r.Name)
			}
		case resource.File:
			if r.Host == name {
				h.Files = append(h.Files, r.Path)
			}
		case resource.Shared:
			if r.Host == name {
				h.Files = append(h.Files, r.File.Path)
			}
		case resource.Fact:
			if r.Host == name {
				h.Files = append(h.Files, resource.FactPath)
			}
		case resource.Certificate:
			if r.Host == name {
				h.Files = append(h.Files, r.Cert.Cert.Path, r.Cert.Key.Path)
			}
		}
	}
	h.Files = append(h.Files, manifests.EtcdJoinPath)
	// A unit's file is evidence: the script removes it by the unit's name.
	h.Files = slices.DeleteFunc(h.Files, func(p string) bool { return path.Dir(p) == manifests.UnitDir })
	slices.Sort(h.Files)
	h.Files = slices.Compact(h.Files)
	slices.Sort(h.Units)
	h.Units = slices.Compact(h.Units)
	return h
}

// Trace is one thing of drover's on a host.
type Trace struct {
	Kind string // "unit", "file", "component", "data", "mount", "network", "note", "lock", "container"
	Name string
}

func (t Trace) String() string { return t.Kind + " " + t.Name }

// marker is the line before what is listed: an sh may print others when it starts.
const marker = "@@drover-reset@@"

// Look lists what of drover's is on the host.
func (h Host) Look(ctx context.Context, r host.Reader) ([]Trace, error) {
	res, err := r.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(h.script("# drover reset look", "echo; echo '"+marker+"'\ntraces\necho end"))})
	if err != nil {
		return nil, err
	}
	_, text, began := strings.Cut(string(res.Stdout), "\n"+marker+"\n")
	text, complete := strings.CutSuffix(strings.TrimRight(text, "\n"), "end")
	if res.Exit != 0 || !began || !complete {
		return nil, fmt.Errorf("%s: looking for what drover made: exit code %d: %s", h.Name, res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	var traces []Trace
	for line := range strings.Lines(text) {
		if kind, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			traces = append(traces, Trace{kind, name})
		}
	}
	return traces, nil
}

// wipeLimit is for units that take their time to stop, and for disks that are
// slow to give up images.
const wipeLimit = 10 * time.Minute

// Wipe removes what drover made, and looks again.
func (h Host) Wipe(ctx context.Context, w host.Writer) error {
	_, err := w.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(h.script("# drover reset", "wipe")), Limit: wipeLimit})
	if err != nil {
		return err
	}
	left, err := h.Look(ctx, w)
	if err != nil {
		return fmt.Errorf("it was reset, but looking again failed: %w", err)
	}
	// The lock that this is done under is still there; see Forget.
	left = slices.DeleteFunc(left, func(t Trace) bool { return t.Kind == "lock" })
	if len(left) > 0 {
		return fmt.Errorf("%s: it was reset, but this is still there: %s", h.Name, join(left))
	}
	return nil
}

// Forget removes what the fleet's lock keeps on a host, when nothing else of
// drover's is there any more.
func Forget(ctx context.Context, c lock.Conn) error {
	res, err := c.Aside(ctx, host.Cmd{Argv: []string{"sh", "-c", forget, "drover-forget"}})
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("%s: removing the fleet's lock: exit code %d: %s", c.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	return err
}

const forget = `: drover-forget; rm -rf -- ` + lock.Dir + ` ` + ssh.EpochDir + ` ` + history.Dir + ` || exit; rmdir -- ` + membership.Dir + ` 2>/dev/null; exit 0`

func join(traces []Trace) string {
	words := make([]string, len(traces))
	for i, t := range traces {
		words[i] = t.String()
	}
	return strings.Join(words, ", ")
}

func (h Host) script(name, end string) string {
	var networks []string
	for _, n := range h.Networks {
		networks = append(networks, n.Masked().String())
	}
	return fmt.Sprintf("%s\nunits=%s\nfiles=%s\ndirs=%s\ncidrs=%s\n%s\n%s\n", name,
		host.Quote(strings.Join(h.Units, " ")), host.Quote(strings.Join(h.Files, "\n")),
		host.Quote(strings.Join(h.dirs(), "\n")), host.Quote(strings.Join(networks, " ")), functions, end)
}

// shared are directories that are the system's, whatever is in them.
var shared = []string{
	"/", "/etc", "/etc/sysctl.d", "/etc/modules-load.d", "/opt", "/run", "/run/netns", "/var", "/var/lib", "/var/log",
}

// dirs are directories that go when nothing is left in them, innermost first.
func (h Host) dirs() []string {
	seen := map[string]bool{}
	made := []string{
		resource.OptDir + "/x", manifests.CNIConfDir + "/x", manifests.CNIBinDir + "/x",
		"/opt/containerd/bin/x", "/opt/containerd/lib/x", "/run/containerd/x", "/run/nri/x", "/run/nodeagent/x", "/var/lib/containerd/x",
		"/var/lib/kubelet/x", "/var/lib/cni/networks/x", "/var/lib/cni/results/x",
	}
	if slices.Contains(h.Units, manifests.EtcdUnit) {
		made = append(made, manifests.EtcdDataDir+"/x", manifests.AuditLogPath)
	}
	for _, f := range slices.Concat(h.Files, made) {
		for d := path.Dir(f); !slices.Contains(shared, d); d = path.Dir(d) {
			seen[d] = true
		}
	}
	var out []string
	for d := range seen {
		out = append(out, d)
	}
	slices.Sort(out)
	slices.Reverse(out) // what is inside sorts after what it is in
	return out
}
