package capacity

import (
	"fmt"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/allocatable"
	"github.com/droverctl/drover/provision/internal/placement"
)

// evictMemory is how much memory must be free for the kubelet not to evict, unless it
// is configured otherwise.
const evictMemory = "100Mi"

// kept is what of a host its kubelet keeps from pods, eviction's threshold and huge pages
// included.
func (in Inputs) kept(h inventory.Host, f HostFacts) Amount {
	k := allocatable.Kept(in.Cluster, h, f.CPUs, f.Memory)
	return Amount{inventory.MilliCPU(k.CPU), inventory.Bytes(k.Memory + evictsAt(h, "memory.available", evictMemory, f.Memory) + f.Huge)}
}

// allocatable is what pods may ask for on a host, and left is that without what
// DaemonSets ask for on every host.
func (in Inputs) allocatable(h inventory.Host) (all, left Amount) {
	f := in.Hosts[h.Name]
	machine := f.CPUs > 0 && f.Memory > 0
	model := machine && (f.Reckoned == AsWritten || f.Reckoned == AsKnown && in.Cluster.Capacity.Reserves())
	if f.Allocatable != nil && !model { // else it is what it will be
		all = *f.Allocatable
	} else {
		all = Amount{inventory.MilliCPU(1000 * f.CPUs), inventory.Bytes(f.Memory)}.minus(in.kept(h, f))
	}
	return all, all.minus(in.askedOfEach(h))
}

func (a Amount) String() string {
	return fmt.Sprintf("%s CPU and %s", figure(float64(a.CPU)/1000), size(int64(a.Memory)))
}

// nodeAllocatable: a host that has no room for what runs on every host is none.
func nodeAllocatable(in Inputs) []Check {
	return in.perHost("node-allocatable", in.Cluster.Hosts(), func(h inventory.Host, f HostFacts) (verdict, bool) {
		all, left := in.allocatable(h)
		v := verdict{
			status:   Pass,
			measured: fmt.Sprintf("%s allocatable", all), threshold: fmt.Sprintf("more than %s for DaemonSets", in.askedOfEach(h)),
			fix:  "reserve less in the kubelet's configuration, or give the host more",
			near: float64(left.Memory),
		}
		if left.CPU <= 0 || left.Memory <= 0 {
			v.status = Fail
		}
		// A kubelet that starts again lets no pod go on that it has no room for.
		if held := in.HeldOn[h.Name]; f.Reckoned != AsKnown && held != (Amount{}) && !all.holds(held) {
			v.status, v.threshold = Fail, fmt.Sprintf("%s for the pods that run there", held)
			v.near = float64(all.Memory - held.Memory)
		}
		return v, f.CPUs > 0 && f.Memory > 0 || f.Allocatable != nil
	})
}

// open are the hosts that ordinary pods may run on.
func open(c *inventory.Cluster) []inventory.Host {
	return slices.DeleteFunc(c.Hosts(), closed)
}

// workloadFits: a pod that no host can take is never placed, however many hosts there
// are; and those that one takes find a place for each of them while all hosts are there.
func workloadFits(in Inputs, all Fits) []Check {
	hosts := in.known(open(in.Cluster))
	unseen := len(open(in.Cluster)) - len(hosts)
	if len(hosts) == 0 {
		return nil
	}
	room := make([]Amount, len(hosts))
	for i, h := range hosts {
		_, room[i] = in.allocatable(h)
	}
	var checks []Check
	for _, w := range in.Cluster.Capacity.Workloads {
		asks := Amount{w.CPU, w.Memory}
		fits, domains, most := 0, map[string]bool{}, Amount{}
		for i, h := range hosts {
			left := room[i]
			if most = (Amount{max(most.CPU, left.CPU), max(most.Memory, left.Memory)}); left.holds(asks) {
				fits++
				domains[domainOf(h)] = true
			}
		}
		check := Check{
			ID: "workload-fits", Subject: w.Name, At: w.Where.Block.Ptr(),
			Measured:  fmt.Sprintf("one pod asks for %s; %d of %s can take it; the most that is left on one is %s", asks, fits, count(len(hosts), "host"), most),
			Threshold: fmt.Sprintf("1 host, warning unless more than %s have one", count(in.Cluster.Capacity.Tolerate, "failure domain")),
		}
		status, found := Pass, all.Declared.outcome(w.Name)
		if found.Short == placement.ShortPods { // max_pods is workload-pods' matter
			found = placement.Outcome{}
		}
		check.weight = float64(found.Missing)
		if found.Missing > 0 && fits > 0 {
			check.Measured += fmt.Sprintf("; %d of %d find no place: %s", found.Missing, w.Replicas, found.Why)
		}
		switch {
		case (fits == 0 || found.Missing > 0) && unseen > 0:
			check.Measured += fmt.Sprintf(" (%s not looked at)", count(unseen, "host"))
			status = Warn
		case fits == 0 || found.Missing > 0:
			status = Fail
		case len(domains) <= in.Cluster.Capacity.Tolerate && unseen == 0:
			status = Warn
		}
		checks = append(checks, check.judged(status, "declare smaller pods, or give more hosts, in other failure domains, what one takes"))
	}
	return checks
}

// domainOf is a host's failure domain. One that does not say is alone in its own;
// failureDomains warns of it.
func domainOf(h inventory.Host) string {
	if h.FailureDomain != "" {
		return h.FailureDomain
	}
	return "host " + h.Name
}
