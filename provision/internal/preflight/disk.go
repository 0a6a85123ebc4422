package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/survey"
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// rooms are what directories must have free before a host becomes a node: fail is
// what the bootstrap itself takes, warn what a cluster in use grows to soon. Those
// that share a file system share its room. The figures are drover's own: a set of
// binaries is 0.8 GiB, etcd's quota 8 GiB.
var rooms = []struct {
	path       string
	master     bool // of masters alone
	fail, warn int64
}{
	{"/", false, 200 * mib, 1 * gib},
	{"/var", false, 300 * mib, 2 * gib},
	{"/opt", false, 1536 * mib, 4 * gib},
	{"/var/lib/etcd", true, 2 * gib, 10 * gib},
	{"/var/lib/kubelet", false, 1 * gib, 5 * gib},
	{"/var/lib/containerd", false, 3 * gib, 15 * gib},
}

// fullBelow is what no host must fall below: nothing can be written any more.
const fullBelow = 64 * mib

// Inodes: an unpacked image has ten thousand files and more.
const (
	inodesFail = 20_000
	inodesWarn = 100_000
)

// volume is a file system, with what is in it of the directories that matter.
type volume struct {
	survey.Disk
	paths      []string
	fail, warn int64
}

// volumes are the host's file systems. Two mounts of one device are one.
func (s subject) volumes() []volume {
	var all []volume
	for _, room := range rooms {
		if room.master && s.Role != inventory.RoleMaster {
			continue
		}
		i := slices.IndexFunc(s.facts.Disks, func(d survey.Disk) bool { return d.Path == room.path })
		if i < 0 {
			continue
		}
		d := s.facts.Disks[i]
		j := slices.IndexFunc(all, func(v volume) bool {
			return v.Mount == d.Mount || v.Source == d.Source && strings.HasPrefix(d.Source, "/")
		})
		if j < 0 {
			j = len(all)
			all = append(all, volume{Disk: d})
		}
		all[j].paths = append(all[j].paths, room.path)
		all[j].fail += room.fail
		all[j].warn += room.warn
	}
	return all
}

func diskFree(_ *inventory.Cluster, s subject) []Finding {
	var all []Finding
	for _, v := range s.volumes() {
		f := Finding{Severity: Warn, Measured: bytes(v.Free)}
		switch {
		case v.Free < fullBelow:
			f.Severity, f.Wanted = Fail, bytes(v.fail)
		case v.Free < v.fail && !s.member():
			f.Severity, f.Wanted = Fail, bytes(v.fail)
		case v.Free < v.fail: // a member has what the bootstrap takes
			f.Wanted = bytes(v.fail)
		case v.Free < v.warn && !s.member():
			f.Wanted = bytes(v.warn)
		default:
			continue
		}
		f.Text = fmt.Sprintf("%s is free on the file system at %s; what goes into %s needs %s", f.Measured, v.Mount, strings.Join(v.paths, ", "), f.Wanted)
		f.Fix = fmt.Sprintf("make room there (`du -xh %s | sort -h`), or enlarge it", v.Mount)
		all = append(all, f)
	}
	return all
}

func inodesFree(_ *inventory.Cluster, s subject) []Finding {
	var all []Finding
	for _, v := range s.volumes() {
		f := Finding{Severity: Warn, Measured: fmt.Sprint(v.InodesFree), Wanted: fmt.Sprint(inodesWarn)}
		switch {
		case v.Inodes == 0: // the file system makes them as they are needed
			continue
		case v.InodesFree < inodesFail && !s.member():
			f.Severity, f.Wanted = Fail, fmt.Sprint(inodesFail)
		case v.InodesFree < inodesFail:
			f.Wanted = fmt.Sprint(inodesFail)
		case v.InodesFree < inodesWarn && !s.member() && slices.Contains(v.paths, "/var/lib/containerd"):
		default:
			continue
		}
		f.Text = fmt.Sprintf("%d inodes are free on the file system at %s; what goes into %s needs %s", v.InodesFree, v.Mount, strings.Join(v.paths, ", "), f.Wanted)
		f.Fix = fmt.Sprintf("find what made so many files (`du -x --inodes %s | sort -n`), or make the file system anew with more inodes", v.Mount)
		all = append(all, f)
	}
	return all
}
