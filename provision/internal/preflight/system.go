package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/ospackage"
	"github.com/droverctl/drover/provision/internal/survey"
)

// What a host's system is.

// proven are the systems that the lab has shown drover to work on.
var proven = []survey.OS{{ID: "debian", Version: "12"}}

func osUnproven(_ *inventory.Cluster, s subject) []Finding {
	os := s.facts.OS
	if slices.ContainsFunc(proven, func(p survey.OS) bool { return p.ID == os.ID && p.Version == os.Version }) {
		return nil
	}
	name := os.Name
	if name == "" {
		name = "a system without /etc/os-release"
	}
	return []Finding{{
		Severity: Fail, Measured: name, Wanted: "Debian 12",
		Text: fmt.Sprintf("it runs %s, and drover was shown to work on Debian 12 only", name),
		Fix:  "use Debian 12; or try it on a machine that may break, and waive os-unproven with what came of it as the reason",
	}}
}

func arch(_ *inventory.Cluster, s subject) []Finding {
	if s.facts.Arch == "x86_64" {
		return nil
	}
	return []Finding{{
		Severity: Fail, Measured: s.facts.Arch, Wanted: "x86_64",
		Text: fmt.Sprintf("its processor is %s, and drover installs programs for x86_64", s.facts.Arch),
		Fix:  "use a machine with an x86_64 processor",
	}}
}

// features are what the kernel must have, and who needs it.
var features = []struct{ name, user string }{
	{survey.Overlay, "containerd keeps images in it"},
	{survey.Conntrack, "kube-proxy and Calico translate addresses with it"},
	{survey.NFTables, "kube-proxy and Calico write rules into it"},
}

func kernelFeature(_ *inventory.Cluster, s subject) []Finding {
	var all []Finding
	for _, f := range features {
		if s.facts.Features[f.name] != survey.No {
			continue
		}
		all = append(all, Finding{
			Severity: Fail, Measured: f.name + " absent", Wanted: f.name,
			Text: fmt.Sprintf("its kernel %s has no %s, neither built in nor as a module, and %s", s.facts.Kernel, f.name, f.user),
			Fix:  "install a kernel of the system's own (on Debian: apt-get install linux-image-amd64), and boot it",
		})
	}
	if s.facts.Features[survey.IPForward] == survey.No {
		all = append(all, Finding{
			Severity: Fail, Measured: "net.ipv4.ip_forward cannot be set", Wanted: "net.ipv4.ip_forward = 1",
			Text: "net.ipv4.ip_forward cannot be set there, and pods are routed through their host",
			Fix:  "make /proc/sys writable: in a container, that is its runtime's setting",
		})
	}
	return all
}

func cgroupV1(_ *inventory.Cluster, s subject) []Finding {
	if s.facts.Cgroup != 1 || s.Kubelet.Config["failCgroupV1"] == false {
		return nil
	}
	return []Finding{{
		Severity: Fail, Measured: "cgroup v1", Wanted: "cgroup v2",
		Text: "it has control groups of version 1, with which the kubelet refuses to start",
		Fix:  "boot it with systemd.unified_cgroup_hierarchy=1; or say kubelet { config = { failCgroupV1 = false } } for as long as Kubernetes lets you",
		At:   s.Kubelet.Where.At("config").Ptr(),
	}}
}

// The offset from which on etcd itself complains of its peers' clocks; and one with
// which leases end before they began. The second figure is drover's own.
const (
	clockWarn = time.Second
	clockFail = 10 * time.Second
)

// clockOffset judges what is certain of the offset.
func clockOffset(_ *inventory.Cluster, s subject) []Finding {
	c := s.facts.Clock
	certain := c.Offset.Abs() - c.Error
	if certain <= clockWarn {
		return nil
	}
	f := Finding{Severity: Warn, Wanted: fmt.Sprintf("within %s", clockWarn)}
	if certain > clockFail {
		f.Severity = Fail
	}
	way := "ahead of"
	if c.Offset < 0 {
		way = "behind"
	}
	f.Measured = fmt.Sprintf("%s ± %s", c.Offset.Round(time.Millisecond), c.Error.Round(time.Millisecond))
	f.Text = fmt.Sprintf("its clock is %s %s the one here (± %s): certificates made here would not be valid there, and etcd's leases would end at the wrong time",
		c.Offset.Abs().Round(time.Millisecond), way, c.Error.Round(time.Millisecond))
	f.Fix = "have it keep the time: `timedatectl set-ntp true`, or look why `chronyc tracking` or `timedatectl timesync-status` is not well; look at the clock here as well"
	return []Finding{f}
}

func swapOn(_ *inventory.Cluster, s subject) []Finding {
	if s.facts.Swap == 0 || s.Kubelet.Config["failSwapOn"] == false {
		return nil
	}
	return []Finding{{
		Severity: Fail, Measured: bytes(s.facts.Swap), Wanted: "none",
		Text: fmt.Sprintf("%s of swap are on, with which the kubelet refuses to start", bytes(s.facts.Swap)),
		Fix:  "`swapoff -a`, and take it out of /etc/fstab; or say kubelet { config = { failSwapOn = false } }",
		At:   s.Kubelet.Where.At("config").Ptr(),
	}}
}

// packageMissing tells of packages that nobody will install.
func packageMissing(c *inventory.Cluster, s subject) []Finding {
	if c.Packages.Install {
		return nil
	}
	var all []Finding
	for _, p := range ospackage.Of(c) {
		if s.facts.Commands[p.Command] {
			continue
		}
		f := Finding{
			Severity: Fail, Measured: "no " + p.Command, Wanted: p.Name,
			Text: fmt.Sprintf("it lacks the package %s (there is no command %s): %s", p.Name, p.Command, p.Why),
			Fix:  fmt.Sprintf("`apt-get install %s` there; or allow drover to: packages { install = true }", p.Name),
			At:   c.Packages.Where.At("install").Ptr(),
		}
		if p.Optional {
			f.Severity = Warn
		}
		all = append(all, f)
	}
	return all
}

func readOnly(_ *inventory.Cluster, s subject) []Finding {
	if len(s.facts.ReadOnly) == 0 {
		return nil
	}
	dirs := strings.Join(s.facts.ReadOnly, ", ")
	return []Finding{{
		Severity: Fail, Measured: dirs, Wanted: "writable",
		Text: fmt.Sprintf("%s cannot be written to, not even by root", dirs),
		Fix:  "look at how it is mounted (`findmnt -T DIR`), and in the kernel's log why: a broken disk is mounted read-only",
	}}
}

// bytes is a size as people say it.
func bytes(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
