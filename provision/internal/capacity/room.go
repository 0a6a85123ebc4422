package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/allocatable"
	"github.com/droverctl/drover/provision/internal/placement"
)

// calicoAsks is what Calico's release has calico-node ask for on every host.
var calicoAsks = Amount{CPU: 250}

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
	if f.Allocatable != nil && !(machine && in.Cluster.Capacity.Reserves()) { // by a model it is what it will be
		all = *f.Allocatable
	} else {
		all = Amount{inventory.MilliCPU(1000 * f.CPUs), inventory.Bytes(f.Memory)}.minus(in.kept(h, f))
	}
	return all, all.minus(in.perHostAsked())
}

func (in Inputs) perHostAsked() Amount {
	if in.PerHost != nil {
		return *in.PerHost
	}
	return calicoAsks
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
			measured: fmt.Sprintf("%s allocatable", all), threshold: fmt.Sprintf("more than %s for DaemonSets", in.perHostAsked()),
			fix:  "reserve less in the kubelet's configuration, or give the host more",
			near: float64(left.Memory),
		}
		if left.CPU <= 0 || left.Memory <= 0 {
			v.status = Fail
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

// What has to find a place.
const (
	declaredWorkloads = "declared workloads"
	runningPods       = "running pods"
)

// asked is what has to find a place: what is declared or what runs, whichever is more.
func (in Inputs) asked() (a Amount, whose string) {
	for _, w := range in.Cluster.Capacity.Workloads {
		a = a.plus(Amount{w.CPU, w.Memory}.times(w.Replicas))
	}
	return a, declaredWorkloads
}

// headroom: what is left when the largest failure domains are lost that may be has to
// hold what pods ask for: in sum, for what sums rule out no placement can mend; and by the
// places that the scheduler would find.
func headroom(in Inputs, all Fits) []Check {
	hosts := in.known(open(in.Cluster))
	unseen := len(open(in.Cluster)) - len(hosts)
	declared, whose := in.asked()
	if len(hosts) == 0 || len(in.Cluster.Capacity.Workloads) == 0 && in.Running == nil {
		return nil
	}
	room := map[string]Amount{}
	for _, h := range hosts {
		_, left := in.allocatable(h)
		room[domainOf(h)] = room[domainOf(h)].plus(left)
	}
	one := func(id string, of func(Amount) int64, show func(int64) string) Check {
		need, by := of(declared), whose
		if in.Running != nil && (of(*in.Running) > need || len(in.Cluster.Capacity.Workloads) == 0) {
			need, by = of(*in.Running), runningPods
		}
		names := slices.SortedFunc(maps.Keys(room), func(a, b string) int {
			return cmp.Or(cmp.Compare(of(room[b]), of(room[a])), cmp.Compare(a, b))
		})
		lost := names[:min(in.Cluster.Capacity.Tolerate, len(names))]
		var left int64
		for _, name := range names[len(lost):] {
			left += of(room[name])
		}
		without := ""
		if len(lost) > 0 {
			without = " without " + list(lost, "failure domain")
		}
		warn, _ := limits(in.Cluster, id, 80, 0)
		check := Check{
			ID: id, At: capacityAt(in.Cluster),
			Measured:  fmt.Sprintf("%s ask for %s", by, show(need)),
			Threshold: fmt.Sprintf("%s%s, warning above %s%%", show(left), without, figure(warn)),
			weight:    float64(need - left),
		}
		status := grade(float64(need), float64(left)*warn/100, float64(left))
		s, text := all.without(id)
		check.Measured += text
		status = worse(status, s)
		if status == Fail && unseen > 0 {
			check.Threshold += fmt.Sprintf(" (%s not looked at)", count(unseen, "host"))
			status = Warn
		}
		return check.judged(status, "add nodes in other failure domains, give those there are more, or declare less")
	}
	return []Check{
		one("headroom-cpu", func(a Amount) int64 { return int64(a.CPU) }, func(n int64) string { return figure(float64(n)/1000) + " CPU" }),
		one("headroom-memory", func(a Amount) int64 { return int64(a.Memory) }, size),
	}
}

// without is what the loss of failure domains leaves too little of, CPU or memory, and
// what to tell of it.
func (f Fits) without(id string) (worst Status, text string) {
	worst = Pass
	of := map[string]placement.Shortage{"headroom-cpu": placement.ShortCPU, "headroom-memory": placement.ShortMemory}[id]
	for _, fit := range []*Fit{f.Declared, f.Running} {
		if fit == nil {
			continue
		}
		r, where := fit.Loss.Result, "on all hosts"
		if len(fit.Loss.Domains) > 0 {
			where = "without " + list(fit.Loss.Domains, "failure domain")
		}
		n, first := short(r, of, placement.ShortTogether)
		pinned, bound := short(r, placement.ShortNode, placement.ShortSpread)
		switch {
		case n > 0:
			worst = Fail
			text += fmt.Sprintf("; %d of %d %s find no place %s, as of %s: %s", n, r.Wanted, fit.pods(), where, first.Workload, first.Why)
		case pinned > 0 && fit == f.Running: // it may be meant so: what is on one host's disk
			worst = worse(worst, Warn)
			text += fmt.Sprintf("; %d of %d %s may be nowhere else %s, as of %s: %s", pinned, r.Wanted, fit.pods(), where, bound.Workload, bound.Why)
		case r.Placed < r.Wanted && missing(r) == 0 && fit.scarcer() == id:
			worst = worse(worst, Warn)
			text += fmt.Sprintf("; %d %s find places only just %s", r.Wanted, fit.pods(), where)
		}
	}
	return worst, text
}

func (f *Fit) pods() string {
	if f.whose == declaredWorkloads {
		return "declared pods"
	}
	return f.whose
}

func missing(r placement.Result) (n int) {
	for _, o := range r.Workloads {
		n += o.Missing
	}
	return n
}

// scarcer is the check of what there is less of when failure domains are lost.
func (f *Fit) scarcer() string {
	free, all := f.Loss.Result.Free, f.Loss.Result.Allocatable
	if all.CPU == 0 || all.Memory == 0 || float64(free.CPU)/float64(all.CPU) <= float64(free.Memory)/float64(all.Memory) {
		return "headroom-cpu"
	}
	return "headroom-memory"
}
