package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
)

// What a check tells fits on a screen: mostReasons lines besides the last, among them
// at most mostCheckedAway of hosts that are away. No reason is longer than
// longestReason runes.
const (
	mostReasons     = 18
	mostCheckedAway = 6
	longestReason   = 240
)

// Check tells why a cluster is not known to be as its inventory says, the most
// important first. Of one that is it tells nothing.
func (v View) Check(r provision.CheckReport) error {
	if r.Run != nil && r.Same {
		return v.Line(fmt.Sprintf("%s: not verified, as %s", r.Cluster, v.active(*r.Run)))
	}
	var lines []string
	for _, why := range r.Unseen {
		lines = append(lines, "not known: "+why)
	}
	lines = append(lines, awayLines(r.Away)...)
	lines = append(lines, differing(r.Plan)...)
	if more := len(lines) - mostReasons; more > 0 {
		lines = append(lines[:mostReasons:mostReasons], fmt.Sprintf("and %d more", more))
	}
	if pending, all := len(r.Plan.Pending()), len(r.Plan.Changes); !r.InSync() {
		last := fmt.Sprintf("%s: %d of %d things are not as the inventory says", r.Cluster, pending, all)
		if n := len(r.Away); n > 0 {
			last += fmt.Sprintf("; %s could not be looked at", count(n, "host"))
		}
		lines = append(lines, last+"; `drover plan` shows all")
	}
	if r.Run != nil {
		lines = append(lines, fmt.Sprintf("%s: this may change, as %s, of another inventory", r.Cluster, v.active(*r.Run)))
	}
	for _, l := range lines {
		if err := v.Line(shortened(v.told(l))); err != nil {
			return err
		}
	}
	return nil
}

// active is who holds the fleet's lock, on one line.
func (v View) active(e provision.LockEntry) string {
	return v.told(fmt.Sprintf("run %s is active: %s (pid %d) runs %q since %s", e.Run, e.Owner, e.PID, e.Reason, e.Since.UTC().Format("2006-01-02T15:04:05Z")))
}

func awayLines(away map[string]error) (lines []string) {
	names := slices.Sorted(maps.Keys(away))
	for i, name := range names {
		if i == mostCheckedAway {
			return append(lines, fmt.Sprintf("%s could not be looked at: %s", count(len(names)-i, "more host"), listed(names[i:])))
		}
		lines = append(lines, fmt.Sprintf("%s could not be looked at: %v", name, away[name]))
	}
	return lines
}

// differing are what of a plan is not as wanted, a line for what is the same on
// several hosts.
func differing(p plan.Plan) []string {
	type same struct {
		rank  int
		text  string
		hosts []string
	}
	var all []*same
	index := map[string]*same{}
	for _, c := range p.Pending() {
		text := fmt.Sprintf("%s %s", marks[c.Action], c.ID.What())
		if c.Action != plan.Create {
			text += ": " + c.Reason
		}
		text = anyDigest(text)
		one := index[text]
		if one == nil {
			one = &same{rank: rank(c), text: text}
			index[text] = one
			all = append(all, one)
		}
		one.hosts = append(one.hosts, c.ID.Host())
	}
	slices.SortStableFunc(all, func(a, b *same) int { return a.rank - b.rank })
	lines := make([]string, len(all))
	for i, one := range all {
		lines[i] = fmt.Sprintf("%s: %s", firstOf(one.hosts, "more"), one.text)
	}
	return lines
}

// rank orders differences: what does not serve, what drover would take away, what is
// something else, and what is not there yet.
func rank(c plan.Change) int {
	kind, _, _ := strings.Cut(c.ID.What(), ":")
	switch {
	case c.Action != plan.Create && slices.Contains([]string{"unit", "ready", "bgp"}, kind):
		return 0
	case c.Action == plan.Delete:
		return 1
	case c.Action != plan.Create:
		return 2
	}
	return 3
}

func shortened(text string) string {
	if r := []rune(text); len(r) > longestReason {
		return string(r[:longestReason]) + "…"
	}
	return text
}
