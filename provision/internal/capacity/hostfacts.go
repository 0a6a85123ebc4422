package capacity

import (
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/placement"
)

// HostFacts is what tier 1 knows of a host. What is zero was not told, and is judged
// by nothing.
type HostFacts struct {
	CPUs   int
	Memory int64 // in bytes
	// Surveyed says that what follows was looked at.
	Surveyed  bool
	Swap      int64 // bytes that are on
	MTU       int   // of the interface that has the host's address; 0: none has it
	Conntrack int64 // entries that the kernel lets there be; 0: not told
	Disks     []Disk
	// Allocatable is what the cluster says that pods may ask for there; nil where it
	// does not know the host.
	Allocatable *Amount
	// Node is what else the cluster says of it.
	Node *LiveNode
	// Reckoned is how Allocatable is told where a run changes it.
	Reckoned Reckoning
	// Huge are the bytes of its memory that are huge pages, as the cluster says; its kubelet
	// keeps them from pods besides all that it reserves.
	Huge int64
	// Silent says that the cluster does not hear of its kubelet: no pod can be there.
	Silent bool
}

// Reckoning is how it is told what of a host pods may ask for.
type Reckoning int

// By what is known of it; by what its kubelet keeps back now; by what it is to keep back.
const (
	AsKnown Reckoning = iota
	AsIs
	AsWritten
)

// Disk is the file system that a path is on.
type Disk struct {
	Path, Mount, Source string
	Size, Free          int64 // bytes
	Inodes, InodesFree  int64 // 0: it has no such limit
}

// Amount is what pods ask for, or may.
type Amount struct {
	CPU    inventory.MilliCPU
	Memory inventory.Bytes
}

// plenty is more than any cluster has, and can be added to: what is asked for is counted
// up to it.
const plenty = 1 << 61

func (a Amount) plus(b Amount) Amount {
	return Amount{min(a.CPU+b.CPU, plenty), min(a.Memory+b.Memory, plenty)}
}

func (a Amount) minus(b Amount) Amount { return Amount{a.CPU - b.CPU, a.Memory - b.Memory} }

// times is n of it.
func (a Amount) times(n int) Amount {
	of := func(each int64) int64 {
		if n > 0 && each > plenty/int64(n) {
			return plenty
		}
		return each * int64(n)
	}
	return Amount{inventory.MilliCPU(of(int64(a.CPU))), inventory.Bytes(of(int64(a.Memory)))}
}

// holds reports whether b is no more than a.
func (a Amount) holds(b Amount) bool { return a.CPU >= b.CPU && a.Memory >= b.Memory }

// Inputs are what tier 1 judges: a cluster as it is to be, and what is known of its
// hosts and of what runs there.
type Inputs struct {
	Cluster *inventory.Cluster
	Hosts   map[string]HostFacts // by name; those that were not asked are missing
	// Away are hosts that were asked in vain.
	Away []string
	// Lost are failure domains that are supposed to be lost.
	Lost []string
	// Running is what the pods ask for that are not a DaemonSet's; nil where there is no
	// cluster, or it could not be asked.
	Running *Amount
	// Pods are what runs, by who makes it, DaemonSets' pods among them.
	Pods []placement.Workload
	// RunningOn is what of it is asked for on each host; nil with Running.
	RunningOn map[string]Amount
	// HeldOn is what all pods on each host ask for; nil with Running.
	HeldOn map[string]Amount
}

// known are the hosts that something is known of.
func (in Inputs) known(hosts []inventory.Host) []inventory.Host {
	var out []inventory.Host
	for _, h := range hosts {
		if f, ok := in.Hosts[h.Name]; ok && (f.CPUs > 0 && f.Memory > 0 || f.Allocatable != nil) {
			out = append(out, h)
		}
	}
	return out
}

// heard is the same without room on hosts that the cluster does not hear of. They are
// members still, and it is known of them that they hold nothing.
func (in Inputs) heard() Inputs {
	silent := func(h inventory.Host) bool { return in.Hosts[h.Name].Silent }
	if !slices.ContainsFunc(in.Cluster.Hosts(), silent) {
		return in
	}
	c := *in.Cluster
	taint(&c, silent)
	in.Cluster = &c
	return in
}

// taint keeps every pod off hosts, as Kubernetes does with those that it does not reach.
func taint(c *inventory.Cluster, down func(inventory.Host) bool) {
	for _, hosts := range []*[]inventory.Host{&c.KubeMasters, &c.KubeNodes} {
		*hosts = slices.Clone(*hosts)
		for i := range *hosts {
			if h := &(*hosts)[i]; down(*h) {
				h.Taints = append(slices.Clip(h.Taints), inventory.Taint{Key: "node.kubernetes.io/unreachable", Effect: "NoExecute"})
			}
		}
	}
}
