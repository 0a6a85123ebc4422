package preflight

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/droverctl/drover/cmd/drover-lab/internal/cgroup"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// Obstacle is one thing that stands in the way of a lab.
type Obstacle struct{ What, Fix string }

// Error is every obstacle found.
type Error []Obstacle

func (e Error) Error() string {
	var b strings.Builder
	b.WriteString("this machine cannot run the lab yet:")
	for _, o := range e {
		fmt.Fprintf(&b, "\n  - %s\n    fix: %s", o.What, o.Fix)
	}
	return b.String()
}

// Wanted is what a lab is going to ask of this machine.
type Wanted struct {
	Lab       topology.Lab
	StateDir  string // where machines' disks go
	CacheDir  string // where images and components go
	CacheFull bool   // the cache holds what it will hold
}

// Room on disk, in bytes: what a cold build leaves behind with Go's own caches,
// and what one machine writes until a cluster runs on it.
const (
	cacheRoom   = 12 << 30
	machineRoom = 512 << 20
	memoryEach  = 128 << 20 // an idle machine uses 30 MB; leave room to work
)

// Check looks at everything and returns an Error with all that is missing.
func Check(ctx context.Context, w Wanted) error {
	if os.Geteuid() != 0 {
		// Nothing else can be looked at without being root.
		return Error{{"drover-lab makes machines, and is not root", "run it as root, as in `sudo drover-lab up`"}}
	}
	var found Error
	found = append(found, tools()...)
	if len(found) == 0 { // the kernel is asked with those tools
		found = append(found, kernel(ctx, w.StateDir)...)
	}
	found = append(found, room(w)...)
	found = append(found, addresses(ctx, w.Lab)...)
	if len(found) > 0 {
		return found
	}
	return nil
}

// Tools are the commands a lab needs and the Debian packages they are in.
func Tools() map[string]string {
	return map[string]string{
		"systemd-nspawn": "systemd-container",
		"mmdebstrap":     "mmdebstrap",
		"ip":             "iproute2",
		"tc":             "iproute2",
		"nft":            "nftables",
		"ssh":            "openssh-client",
		"sysctl":         "procps",
		"chroot":         "coreutils",
		"journalctl":     "systemd",
	}
}

func tools() []Obstacle {
	var found []Obstacle
	for command, pkg := range Tools() {
		if _, err := exec.LookPath(command); err != nil {
			found = append(found, Obstacle{"command " + command + " is missing", "install the package " + pkg})
		}
	}
	return found
}

// kernel tries each feature out in namespaces that vanish with the attempt.
func kernel(ctx context.Context, stateDir string) []Obstacle {
	var found []Obstacle
	if _, err := cgroup.Open(); err != nil {
		found = append(found, Obstacle{err.Error(), "mount the cgroup file systems"})
	}
	for _, f := range []struct{ name, config, script string }{
		{"network namespaces", "CONFIG_NET_NS", "true"},
		{"bridges", "CONFIG_BRIDGE", "ip link add name lab0 type bridge"},
		{"veth pairs", "CONFIG_VETH", "ip link add name lab0 type veth peer name lab1"},
		{"bandwidth limits (tbf)", "CONFIG_NET_SCH_TBF", "ip link add name lab0 type veth peer name lab1 && tc qdisc add dev lab0 root tbf rate 1mbit burst 16kb latency 50ms"},
		{"nftables on bridges", "CONFIG_NF_TABLES_BRIDGE", "nft add table bridge t && nft 'add chain bridge t f { type filter hook forward priority 0; }'"},
	} {
		if out, err := exec.CommandContext(ctx, "unshare", "--net", "sh", "-c", f.script).CombinedOutput(); err != nil {
			found = append(found, Obstacle{
				fmt.Sprintf("the kernel does not do %s: %v: %s", f.name, err, strings.TrimSpace(string(out))),
				"use a kernel with " + f.config + ", or load its module",
			})
		}
	}
	return append(found, overlay(ctx, stateDir)...)
}

// overlay tries a mount where machines' disks will be: not every file system
// can carry one.
func overlay(ctx context.Context, stateDir string) []Obstacle {
	// The script cleans up, not this process: it may be killed meanwhile.
	const script = `
		dir=$(mktemp -d -p "$1" .drover-lab-probe-XXXXXX) || exit 3
		trap 'cd / && umount "$dir/root"; rm -rf "$dir"' EXIT
		cd "$dir" && mkdir lower upper work root &&
			mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root && : > root/file`
	out, err := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c", script, "sh", existing(stateDir)).CombinedOutput()
	said := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == 3:
		return []Obstacle{{"cannot write below " + stateDir + ": " + said, "choose another directory with --state-dir"}}
	}
	return []Obstacle{{
		fmt.Sprintf("no overlay can be mounted in %s: %v: %s", stateDir, err, said),
		"use a kernel with CONFIG_OVERLAY_FS, and a --state-dir on ext4 or xfs",
	}}
}

// room compares what the lab needs on disk and in memory with what is free.
func room(w Wanted) []Obstacle {
	var found []Obstacle
	machines := uint64(len(w.Lab.Machines))
	needs := map[string]uint64{existing(w.StateDir): machines * machineRoom}
	if !w.CacheFull {
		needs[existing(w.CacheDir)] += cacheRoom
	}
	for dir, need := range needs {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			found = append(found, Obstacle{fmt.Sprintf("cannot see how much room %s has: %v", dir, err), "choose another directory"})
			continue
		}
		if free := fs.Bavail * uint64(fs.Bsize); free < need {
			found = append(found, Obstacle{
				fmt.Sprintf("%s has %.1f GiB free, the lab needs %.1f GiB", dir, gib(free), gib(need)),
				"free some room, or choose other directories with --state-dir and --cache-dir",
			})
		}
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		if total := info.Totalram * uint64(info.Unit); total < machines*memoryEach {
			found = append(found, Obstacle{
				fmt.Sprintf("%.1f GiB of memory, %d machines need %.1f GiB", gib(total), machines, gib(machines*memoryEach)),
				"use a larger machine, or an inventory of fewer hosts",
			})
		}
	}
	return found
}

// addresses finds what this machine already has on the lab's network.
func addresses(ctx context.Context, lab topology.Lab) []Obstacle {
	out, err := exec.CommandContext(ctx, "ip", "-4", "-o", "route", "show", "table", "all").Output()
	if err != nil {
		return []Obstacle{{"cannot read this machine's routes: " + err.Error(), "make `ip route show table all` work"}}
	}
	return overlaps(string(out), lab, func(dev string) string {
		alias, _ := os.ReadFile(filepath.Join("/sys/class/net", dev, "ifalias")) // none: nobody's
		owner, _ := strings.CutPrefix(strings.TrimSpace(string(alias)), topology.AliasPrefix)
		return owner
	})
}

// overlaps finds the interfaces with routes into the lab's network; ownerOf is
// the lab an interface belongs to, or "".
func overlaps(routes string, lab topology.Lab, ownerOf func(dev string) string) []Obstacle {
	var found []Obstacle
	seen := map[string]bool{}
	for line := range strings.Lines(routes) {
		prefix, dev, ok := parseRoute(line)
		if !ok || dev == topology.AdminLink(lab.Name) || !prefix.Overlaps(lab.Fabric().Prefix) || seen[dev] {
			continue
		}
		seen[dev] = true
		by, fix := "", "give the inventory other addresses"
		if owner := ownerOf(dev); owner != "" {
			by = fmt.Sprintf(" by lab %q", owner)
			fix = fmt.Sprintf("take that lab down (drover-lab --lab %s down), or %s", owner, fix)
		}
		found = append(found, Obstacle{
			fmt.Sprintf("network %s is in use on this machine%s: interface %s has a route to %s", lab.Fabric().Prefix, by, dev, prefix), fix,
		})
	}
	return found
}

// routeTypes are what `ip route` puts before a destination.
var routeTypes = []string{"local", "broadcast", "anycast", "multicast", "unreachable", "blackhole", "prohibit", "throw"}

// parseRoute reads the destination and device of a line of `ip -o route`. The
// default route leads everywhere and is in nobody's way.
func parseRoute(line string) (netip.Prefix, string, bool) {
	fields := strings.Fields(line)
	dev := ""
	for i, f := range fields[:max(0, len(fields)-1)] {
		if f == "dev" {
			dev = fields[i+1]
		}
	}
	if len(fields) > 0 && slices.Contains(routeTypes, fields[0]) {
		fields = fields[1:]
	}
	if len(fields) == 0 {
		return netip.Prefix{}, "", false
	}
	if p, err := netip.ParsePrefix(fields[0]); err == nil && p.Bits() > 0 {
		return p.Masked(), dev, true
	}
	if a, err := netip.ParseAddr(fields[0]); err == nil && a.Is4() {
		return netip.PrefixFrom(a, 32), dev, true
	}
	return netip.Prefix{}, "", false
}

// existing is the nearest directory of path that exists.
func existing(path string) string {
	for path != "/" {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}

func gib(n uint64) float64 { return float64(n) / (1 << 30) }
