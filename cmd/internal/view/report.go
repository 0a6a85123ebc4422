package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/report"
)

// Report shows how a run ended.
func (v View) Report(r report.Report) error {
	count := map[report.Kind]int{}
	for _, o := range r.Outcomes {
		count[o.Kind]++
	}
	took := r.Took.Round(100 * time.Millisecond)
	end := leftOut(r.Away) + byHandAtTheEnd(r.ByHand)
	failed := count[report.Failed] + count[report.Cut]
	switch {
	case count[report.Done] == len(r.Outcomes):
		return v.Line(fmt.Sprintf("done: %d changes in %s.", len(r.Outcomes), took) + end)
	case r.Stopped != nil:
		return v.Line(v.stopped(r, count, took) + end)
	case failed == 0:
		return v.Line(fmt.Sprintf("not all done: of %d changes %d are done, %d must not be done now, and %d that need them were left; %s.%s",
			len(r.Outcomes), count[report.Done], count[report.Left], count[report.Skipped], took, notNow(r)) + end)
	}
	return v.Line(fmt.Sprintf("not done: of %d changes %d failed, and %d that need them were left; %s. Mend what failed and run it again: it goes on from here.",
		len(r.Outcomes), failed, count[report.Skipped]+count[report.Left], took) + v.causes(r) + end)
}

// mostCauses is how many failures are told once more at the end, and how many changes
// that were cut off; mostOfCauses is how many lines all failures have at most.
const mostCauses, mostOfCauses = 5, 10

// causes are what went wrong, in short: whoever keeps only the end of the output, as
// Puppet's reports do, is to have them.
func (v View) causes(r report.Report) string {
	failed := slices.DeleteFunc(slices.Clone(r.Outcomes), func(o report.Outcome) bool { return o.Kind != report.Failed || o.Err == nil })
	told := failed[:min(len(failed), mostCauses)]
	var b strings.Builder
	for _, o := range told {
		lines := strings.Split(strings.TrimSpace(v.clean(o.Err.Error())), "\n")
		fmt.Fprintf(&b, "\n  failed: %s: %s", o.Change.ID, shortened(lines[0]))
		for _, l := range lines[1:min(len(lines), mostOfCauses/len(told))] {
			b.WriteString("\n    " + shortened(l))
		}
	}
	if more := len(failed) - len(told); more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

// leftOut tells, below how a run ended, of the hosts nothing was done on.
func leftOut(away []string) string {
	switch len(away) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("\nleft out: %s could not be reached, and what it lacks is not known. Run it again when it is back.", away[0])
	}
	return fmt.Sprintf("\nleft out: %s could not be reached, and what they lack is not known. Run it again when they are back.", listed(away))
}

// notNow names what must not be done now, and why.
func notNow(r report.Report) string {
	var b strings.Builder
	for _, o := range r.Outcomes {
		if o.Kind == report.Left {
			fmt.Fprintf(&b, "\n  left: %s: %v", o.Change.ID, o.Err)
		}
	}
	return b.String()
}

// mostLeft is how many hosts are named on which something was left.
const mostLeft = 10

// stopped tells what is where after a run that was stopped.
func (v View) stopped(r report.Report, count map[report.Kind]int, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "stopped: of %d changes %d are done, %d were under way and cut off, %d failed, %d were left; %s.",
		len(r.Outcomes), count[report.Done], count[report.Cut], count[report.Failed], count[report.Skipped]+count[report.Left], took)
	left, cut := map[string]int{}, 0
	var hosts []string
	for _, o := range r.Outcomes {
		switch o.Kind {
		case report.Cut:
			if cut++; cut <= mostCauses {
				fmt.Fprintf(&b, "\n  cut off: %s: it is not known what became of it", o.Change.ID)
			}
		case report.Skipped, report.Left:
			host := o.Change.ID.Host()
			if left[host]++; left[host] == 1 {
				hosts = append(hosts, host)
			}
		}
	}
	if more := cut - mostCauses; more > 0 {
		fmt.Fprintf(&b, "\n  cut off: and %d more", more)
	}
	for i, h := range hosts[:min(len(hosts), mostLeft)] {
		hosts[i] = fmt.Sprintf("%s %d", h, left[h])
	}
	if more := len(hosts) - mostLeft; more > 0 {
		hosts = append(hosts[:mostLeft], fmt.Sprintf("and on %d more hosts", more))
	}
	if len(hosts) > 0 {
		b.WriteString("\n  left: " + strings.Join(hosts, ", "))
	}
	b.WriteString(v.causes(r))
	fmt.Fprintf(&b, "\n  why: %s", v.told(r.Stopped.Error()))
	b.WriteString("\nRun it again: it goes on from here.")
	return b.String()
}
