package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/droverctl/drover/provision/internal/placement"
)

// What has to find a place.
const (
	declaredWorkloads = "declared workloads"
	runningPods       = "running pods"
)

// asked is what is declared.
func (in Inputs) asked() (a Amount) {
	for _, w := range in.Cluster.Capacity.Workloads {
		a = a.plus(Amount{w.CPU, w.Memory}.times(w.Replicas))
	}
	return a
}

// headroom: what is left when the largest failure domains are lost that may be has to
// hold what pods ask for: of what is declared in sum, for what sums rule out no placement
// can mend; and by the places that the scheduler would find. Of what runs sums tell
// little: it may be meant for hosts that others are kept off.
func headroom(in Inputs, all Fits) []Check {
	hosts := in.known(open(in.Cluster))
	unseen := len(open(in.Cluster)) - len(hosts)
	if len(hosts) == 0 && unseen > 0 || len(in.Cluster.Capacity.Workloads) == 0 && in.Running == nil {
		return nil
	}
	room := map[string]Amount{}
	for _, h := range hosts {
		_, left := in.allocatable(h)
		room[domainOf(h)] = room[domainOf(h)].plus(left)
	}
	one := func(r resourceOf) Check {
		names := slices.SortedFunc(maps.Keys(room), func(a, b string) int {
			return cmp.Or(cmp.Compare(r.of(room[b]), r.of(room[a])), cmp.Compare(a, b))
		})
		lost := names[:min(in.Cluster.Capacity.Tolerate, len(names))]
		var left int64
		for _, name := range names[len(lost):] {
			left += r.of(room[name])
		}
		without := ""
		if len(lost) > 0 {
			without = " without " + list(lost, "failure domain")
		}
		warn, _ := limits(in.Cluster, r.id, 80, 0)
		declared, running := r.of(in.asked()), r.of(in.runningInOpen())
		need, by := declared, declaredWorkloads
		if running > need || len(in.Cluster.Capacity.Workloads) == 0 {
			need, by = running, runningPods
		}
		check := Check{
			ID: r.id, At: capacityAt(in.Cluster),
			Measured:  fmt.Sprintf("%s ask for %s", by, r.show(need)),
			Threshold: fmt.Sprintf("%s%s, warning above %s%%", r.show(left), without, figure(warn)),
			weight:    float64(need - left), slack: r.slack,
		}
		status := Pass
		if declared > 0 {
			status = grade(float64(declared), float64(left)*warn/100, float64(left))
		}
		if running > 0 && float64(running) > float64(left)*warn/100 {
			status = worse(status, Warn)
		}
		s, text := all.without(r, len(open(in.Cluster)) == 0)
		check.Measured += text
		if status = worse(status, s); status == Fail {
			check.weight = max(0, float64(declared-left), all.Declared.unplaced(r)) + all.Running.unplaced(r)
		}
		if status == Fail && unseen > 0 {
			check.Threshold += fmt.Sprintf(" (%s not looked at)", count(unseen, "host"))
			status = Warn
		}
		return check.judged(status, "add nodes in other failure domains, give those there are more, or declare less")
	}
	return []Check{one(cpuOf()), one(memoryOf())}
}

// headroomPods: max_pods bounds what runs as well; what is declared is workloadPods' matter.
func headroomPods(in Inputs, all Fits) []Check {
	fit := all.Running
	if fit == nil || fit.All.Wanted == 0 {
		return nil
	}
	n, first := short(fit.Loss.Result, placement.ShortPods)
	check := Check{
		ID: "headroom-pods", At: capacityAt(in.Cluster), weight: float64(n),
		Measured:  fmt.Sprintf("%d of %d running pods find no place for max_pods", n, fit.All.Wanted),
		Threshold: "0",
	}
	if lost := fit.Loss.Domains; len(lost) > 0 {
		check.Threshold += " without " + list(lost, "failure domain")
	}
	status := Pass
	if n > 0 {
		check.Measured += fmt.Sprintf(", as of %s: %s", first.Workload, first.Why)
		status = Fail
	}
	if status == Fail && fit.unseen > 0 {
		check.Threshold += fmt.Sprintf(" (%s not looked at)", count(fit.unseen, "host"))
		status = Warn
	}
	return []Check{check.judged(status, "add nodes in other failure domains, or raise max_pods")}
}

// resourceOf is CPU or memory.
type resourceOf struct {
	id    string
	short placement.Shortage
	of    func(Amount) int64
	show  func(int64) string
	slack float64
}

func cpuOf() resourceOf {
	return resourceOf{
		id: "headroom-cpu", short: placement.ShortCPU,
		of:   func(a Amount) int64 { return int64(a.CPU) },
		show: func(n int64) string { return figure(float64(n)/1000) + " CPU" },
	}
}

// memoryOf has some slack: two machines that are the same have a little more or less.
func memoryOf() resourceOf {
	return resourceOf{
		id: "headroom-memory", short: placement.ShortMemory,
		of:   func(a Amount) int64 { return int64(a.Memory) },
		show: size, slack: 256 << 20,
	}
}

// runningInOpen is what is asked for by the pods that run where any may, or wait.
func (in Inputs) runningInOpen() Amount {
	if in.Running == nil {
		return Amount{}
	}
	a := *in.Running
	for _, h := range in.Cluster.Hosts() {
		if closed(h) {
			a = a.minus(in.RunningOn[h.Name])
		}
	}
	return a
}

// without is what the loss of failure domains leaves too little of, CPU or memory, and
// what to tell of it. Where no host is for any pod, none is kept off the others on purpose.
func (f Fits) without(of resourceOf, none bool) (worst Status, text string) {
	worst = Pass
	for _, fit := range []*Fit{f.Declared, f.Running} {
		if fit == nil {
			continue
		}
		r, where := fit.Loss.Result, "on all hosts"
		if len(fit.Loss.Domains) > 0 {
			where = "without " + list(fit.Loss.Domains, "failure domain")
		}
		n, first := short(r, of.short, placement.ShortTogether)
		pinned, bound := short(r, placement.ShortNode, placement.ShortSpread)
		switch {
		case n > 0:
			worst = Fail
			text += fmt.Sprintf("; %d of %d %s find no place %s, as of %s: %s", n, r.Wanted, fit.pods(), where, first.Workload, first.Why)
		case pinned > 0 && none:
			worst = Fail
			text += fmt.Sprintf("; %d of %d %s find no place %s, as of %s: %s", pinned, r.Wanted, fit.pods(), where, bound.Workload, bound.Why)
		case pinned > 0 && fit == f.Running: // it may be meant so: what is on one host's disk
			worst = worse(worst, Warn)
			text += fmt.Sprintf("; %d of %d %s may be nowhere else %s, as of %s: %s", pinned, r.Wanted, fit.pods(), where, bound.Workload, bound.Why)
		case r.Placed < r.Wanted && missing(r) == 0 && fit.scarcer() == of.id:
			worst = worse(worst, Warn)
			text += fmt.Sprintf("; %d %s find places only just %s", r.Wanted, fit.pods(), where)
		}
	}
	return worst, text
}

// unplaced is what the pods ask for that find no place when failure domains are lost.
func (f *Fit) unplaced(r resourceOf) (sum float64) {
	if f == nil {
		return 0
	}
	for i, o := range f.Loss.Result.Workloads {
		if !o.DaemonSet {
			sum += float64(o.Missing) * float64(r.of(f.asks[i]))
		}
	}
	return sum
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
