package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Of several nodes that are to go, one that is stuck keeps the others: they have been
// cordoned, and maybe drained, and are not removed. No run ends without a word of them,
// and the operator's choice of what becomes of who is stuck holds for them as well.

// Stayed tells of each node that the run was to take out of service and has not, how it
// is left.
func (s *Session) Stayed() []string { return s.stayed }

// goals are the nodes that the run takes out of service.
func (s *Session) goals() []removal.Leaving {
	var all []removal.Leaving
	if t := s.options.Nodes; t.Verb == NodeDrain {
		for _, name := range t.Names {
			all = append(all, removal.Emptying(name))
		}
	}
	for _, n := range s.leaving {
		one := n.Leaving()
		for _, f5 := range s.Cluster.BigIPs { // without its neighbor nothing leads to a node's pods
			one.Takes = append(one.Takes, desired.NeighborsID(f5.Name))
		}
		if n.Master { // nor without its place on the lists to its API server
			one.Takes = append(one.Takes, s.lists()...)
		}
		all = append(all, one)
	}
	return all
}

// stayedLimit bounds the look at nodes when a run is over.
const stayedLimit = 10 * time.Second

// leave lets nodes serve again that the run has not taken out of service, if that was
// asked for, and tells how each is left.
func (s *Session) leave(ctx context.Context, p plan.Plan, r report.Report) []string {
	done, untouched := map[plan.ID]bool{}, map[plan.ID]bool{}
	for _, c := range p.Changes {
		done[c.ID] = c.Action == plan.NoOp // what was so before is done, too
	}
	for _, o := range r.Outcomes {
		done[o.Change.ID] = o.Kind == report.Done
		untouched[o.Change.ID] = o.Kind == report.Skipped || o.Kind == report.Left
	}
	left := slices.DeleteFunc(s.goals(), func(l removal.Leaving) bool { return done[l.Done] })
	// Also of a run that was stopped, and however its lock fares: it may look.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stayedLimit)
	defer cancel()
	var told []string
	for _, l := range left {
		whole := !slices.ContainsFunc(l.Takes, func(id plan.ID) bool {
			_, planned := done[id]
			return planned && !untouched[id]
		})
		if text := s.leaveOne(ctx, l, whole); text != "" {
			told = append(told, text)
		}
	}
	return told
}

// leaveOne does so with one node; whole says that nothing was taken off it.
func (s *Session) leaveOne(ctx context.Context, l removal.Leaving, whole bool) string {
	t := s.options.Nodes
	left, err := l.Look(ctx, s.access)
	var again, failed string
	if err == nil && left.Exists && len(left.Kept) > 0 && whole && t.Drain.IfStuck == LeftSchedulable {
		again = " again"
		if why := removal.Reopen(ctx, s.access, l.Name); why != nil {
			failed = fmt.Sprintf("; letting it serve again failed: %v", why)
		}
		left, err = l.Look(ctx, s.access)
	}
	not := "was not removed"
	switch {
	case t.Verb == NodeDrain:
		not = "was not drained"
	case !whole:
		not = "was not removed to the end"
	}
	switch {
	case err != nil:
		return fmt.Sprintf("%s %s, and how it is left could not be looked at: %v%s", l.Name, not, err, failed)
	case !left.Exists:
		return ""
	case len(left.Kept) == 0:
		return fmt.Sprintf("%s %s, and takes pods%s%s", l.Name, not, again, failed)
	case whole:
		failed += fmt.Sprintf("; `drover node uncordon %s` undoes that", l.Name)
	}
	return fmt.Sprintf("%s %s, and is %s%s; the same command goes on", l.Name, not, strings.Join(left.Kept, " and "), failed)
}

// warnOfExcluded tells of nodes that a removal has left out of service, as long as nobody
// has said what is to become of them. Those that the run removes need no word.
func (s *Session) warnOfExcluded() {
	t := s.options.Nodes
	if s.verdict.Standing != identity.Existing || t.inService() {
		return
	}
	for _, m := range s.members {
		if m.Excluded == "" || t.limited() && !t.has(m.Name) || t.removes() && t.has(m.Name) || t.replaces(m.Name) {
			continue
		}
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s is a node that a removal has begun with and not ended: it is %s. `drover node uncordon %[1]s` has it serve again, `drover node remove %[1]s` goes on",
			m.Name, m.Excluded))
	}
}
