package capacity

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/droverctl/drover/inventory"
)

// filled are the directories that the kubelet watches, and at which shares of free
// room and inodes it evicts pods unless it is configured otherwise.
var filled = []struct {
	path, room, inodes string
	roomAt, inodesAt   string
}{
	{"/var/lib/kubelet", "nodefs.available", "nodefs.inodesFree", "10%", "5%"},
	{"/var/lib/containerd", "imagefs.available", "imagefs.inodesFree", "15%", "5%"},
}

// Beyond these shares that are free, others' tools warn; below the kubelet's own
// threshold no pod stays.
const (
	roomWarn   = 40
	inodesWarn = 15
)

func (f HostFacts) disk(path string) (Disk, bool) {
	i := slices.IndexFunc(f.Disks, func(d Disk) bool { return d.Path == path })
	if i < 0 {
		return Disk{}, false
	}
	return f.Disks[i], true
}

// evictsAt is the kubelet's hard threshold of a signal, in what there is of it; 0 where it
// evicts for none.
func evictsAt(h inventory.Host, signal, usual string, of int64) int64 {
	text := usual
	// Without the whole block, as with null in its place, the kubelet has its own.
	if block, ok := h.Kubelet.Config["evictionHard"].(map[string]any); ok {
		switch v, given := block[signal]; {
		case given && v != nil:
			text = strings.TrimSpace(fmt.Sprint(v))
		case given && h.Kubelet.Config["mergeDefaultEvictionSettings"] != true:
			return 0
		}
	}
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		p, err := strconv.ParseFloat(percent, 64)
		if err != nil || p == 100 { // the kubelet takes that for none
			return 0
		}
		return int64(float64(of) * p / 100)
	}
	q, err := resource.ParseQuantity(text)
	if err != nil { // the kubelet will say so
		return 0
	}
	return q.Value()
}

func percent(part, of int64) float64 { return 100 * float64(part) / float64(of) }

// share judges what is free of something on the fuller of the file systems that the
// kubelet watches.
func (in Inputs) share(id string, warnAt float64, look func(d Disk) (free, all int64), signal func(i int) (name, usual string), show func(int64) string, fix string) []Check {
	set := in.Cluster.Capacity.Threshold(id)
	return in.perHost(id, in.Cluster.Hosts(), func(h inventory.Host, f HostFacts) (verdict, bool) {
		var worst []verdict
		for i, at := range filled {
			d, ok := f.disk(at.path)
			free, all := look(d)
			if !ok || all == 0 {
				continue
			}
			name, usual := signal(i)
			fail, warn := percent(evictsAt(h, name, usual, all), all), warnAt
			whose := "where the kubelet evicts"
			if fail == 0 {
				whose = "the kubelet evicts nothing for it"
			}
			if set.Fail != nil {
				fail, whose = *set.Fail, "set in the inventory"
			}
			if set.Warn != nil {
				warn = *set.Warn
			}
			warn = max(warn, fail)
			n := percent(free, all)
			worst = append(worst, verdict{
				status:    least(n, warn, fail),
				measured:  fmt.Sprintf("%s%% free at %s (%s of %s)", figure(n), d.Mount, show(free), show(all)),
				threshold: fmt.Sprintf("%s%%, FAIL below %s%% (%s)", figure(warn), figure(fail), whose),
				fix:       fmt.Sprintf(fix, d.Mount), near: n - fail,
			})
		}
		if len(worst) == 0 {
			return verdict{}, false
		}
		return slices.MinFunc(worst, func(a, b verdict) int {
			switch {
			case a.status == b.status:
				return cmp.Compare(a.near, b.near)
			case worse(a.status, b.status) == a.status:
				return -1
			}
			return 1
		}), true
	})
}

func nodeDisk(in Inputs) []Check {
	return in.share("node-disk", roomWarn, func(d Disk) (int64, int64) { return d.Free, d.Size },
		func(i int) (string, string) { return filled[i].room, filled[i].roomAt }, size,
		"make room there (`du -xh %s | sort -h`), or enlarge it: below the kubelet's threshold pods are evicted")
}

func nodeInodes(in Inputs) []Check {
	return in.share("node-inodes", inodesWarn, func(d Disk) (int64, int64) { return d.InodesFree, d.Inodes },
		func(i int) (string, string) { return filled[i].inodes, filled[i].inodesAt }, func(n int64) string { return fmt.Sprint(n) },
		"find what made so many files (`du -x --inodes %s | sort -n`), or make the file system anew with more inodes")
}

// etcdDisk: what others write to the device is in the way of every commit, and a
// database needs room to be defragmented and restored beside itself.
func etcdDisk(in Inputs) []Check {
	const id, quotaArg = "etcd-disk", "quota-backend-bytes"
	quota := int64(8 << 30)
	if args := in.Cluster.Etcd.ExtraArgs[quotaArg]; len(args) == 1 {
		if n, err := strconv.ParseInt(args[0], 10, 64); err == nil && n > 0 {
			quota = n
		}
	}
	times, _ := limits(in.Cluster, id, 3, 0)
	return in.perHost(id, in.Cluster.KubeMasters, func(_ inventory.Host, f HostFacts) (verdict, bool) {
		d, ok := f.disk("/var/lib/etcd")
		if !ok {
			return verdict{}, false
		}
		v := verdict{
			status:    least(float64(d.Free), times*float64(quota), 0),
			measured:  fmt.Sprintf("%s free at %s", size(d.Free), d.Mount),
			threshold: fmt.Sprintf("%s × the quota of %s, on a device of its own", figure(times), size(quota)),
			fix:       "give etcd's data (/var/lib/etcd) a larger file system, or a smaller quota: etcd { extra_args = { quota-backend-bytes = … } }",
			near:      float64(d.Free),
		}
		if root, ok := f.disk("/"); ok && (root.Mount == d.Mount || root.Source == d.Source) {
			v.measured += ", which is the device of / as well"
			v.fix = "give etcd's data (/var/lib/etcd) a device of its own: what others write is in the way of every commit"
			v.status = Warn
		}
		return v, true
	})
}
