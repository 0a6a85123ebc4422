package preflight

import (
	"slices"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/survey"
)

// Inputs are what is judged.
type Inputs struct {
	Cluster *inventory.Cluster
	// Facts are those of the hosts that are judged.
	Facts map[string]survey.Facts
	// Others are hosts that are not judged, but may have what must be a host's own.
	Others map[string]Identity
	// Reach is what became of the hosts' links.
	Reach Reach
	// Puppet is what the Puppet agents of the judged hosts manage, where there are any.
	Puppet map[string]Puppet
	// Authorities are those of the cluster, as hosts hold them.
	Authorities map[string][]pki.Description
	Now         time.Time
}

// Identity is what tells a host from all others.
type Identity struct{ Hostname, MachineID string }

// subject is one host with the facts of it.
type subject struct {
	inventory.Host
	facts survey.Facts
}

// member says that the host is part of a cluster of drover's: what it needed to
// become that it has had.
func (s subject) member() bool { return s.facts.Drove.Member }

// round is what checks work from: the hosts in the inventory's order.
type round struct {
	Inputs
	hosts []subject
}

// checks are all there are, in the order in which they are told. Their IDs are
// inventory.PreflightChecks.
var checks = []struct {
	id  string
	run func(r round) []Finding
}{
	{"os-unproven", each(osUnproven)},
	{"arch", each(arch)},
	{"kernel-feature", each(kernelFeature)},
	{"cgroup-v1", each(cgroupV1)},
	{"clock-offset", each(clockOffset)},
	{"swap-on", each(swapOn)},
	{"package-missing", each(packageMissing)},
	{"read-only", each(readOnly)},
	{"disk-free", each(diskFree)},
	{"inodes-free", each(inodesFree)},
	{"machine-id-twice", machineIDTwice},
	{"product-uuid-twice", productUUIDTwice},
	{"mac-twice", macTwice},
	{"hostname-twice", hostnameTwice},
	{"address-absent", each(addressAbsent)},
	{"mtu-differs", mtuDiffers},
	{"network-overlap", each(networkOverlap)},
	{"dns-broken", each(dnsBroken)},
	{"port-taken", each(portTaken)},
	{"port-unreachable", portUnreachable},
	{"foreign-cluster", each(foreignCluster)},
	{"foreign-kubelet", each(foreignKubelet)},
	{"foreign-runtime", each(foreignRuntime)},
	{"foreign-etcd", each(foreignEtcd)},
	{"foreign-etcd-data", each(foreignEtcdData)},
	{"foreign-kubernetes", each(foreignKubernetes)},
	{"foreign-cni", each(foreignCNI)},
	{"puppet-managed", puppetManaged},
	{"ca-ends", caEnds},
}

// each makes a check of all hosts of one that judges a host by itself.
func each(judge func(c *inventory.Cluster, s subject) []Finding) func(round) []Finding {
	return func(r round) []Finding {
		var all []Finding
		for _, s := range r.hosts {
			for _, f := range judge(r.Cluster, s) {
				f.Host = s.Name
				all = append(all, f)
			}
		}
		return all
	}
}

// Check judges. What fails comes first, what is waived last; the rest of the order
// is that of the checks, and of the inventory's hosts.
func Check(in Inputs) []Finding { return judge(in, func(string) bool { return true }) }

// CheckPuppet judges what Puppet manages, and nothing else.
func CheckPuppet(in Inputs) []Finding {
	return judge(in, func(id string) bool { return id == "puppet-managed" })
}

// judge has those checks judge of which that is asked.
func judge(in Inputs, asked func(id string) bool) []Finding {
	r := round{Inputs: in}
	for _, h := range in.Cluster.Hosts() {
		if f, ok := in.Facts[h.Name]; ok {
			r.hosts = append(r.hosts, subject{h, f})
		}
	}
	var all []Finding
	for _, c := range checks {
		if !asked(c.id) {
			continue
		}
		for _, f := range c.run(r) {
			f.ID = c.id
			all = append(all, r.settled(f))
		}
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return rank(a) - rank(b) })
	return all
}

// settled is a finding with its place, and with the inventory's reason to bear it.
func (r round) settled(f Finding) Finding {
	if w, ok := r.Cluster.Preflight.Waiver(f.ID, f.Host); ok {
		f.Waived, f.At = w.Reason, w.Where.At("name").Ptr()
	}
	if f.At != nil {
		return f
	}
	for _, h := range r.Cluster.Hosts() {
		if h.Name == f.Host {
			f.At = h.Where.Block.Ptr()
		}
	}
	return f
}

func rank(f Finding) int {
	switch {
	case f.Waived != "":
		return 2
	case f.Severity == Warn:
		return 1
	}
	return 0
}
