package view

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

// placedGroup is what of some pods finds a place; or else Why that is not known.
type placedGroup struct {
	Name, Text, Why string
	Bars            []bar
	Rows            []workloadRow
}

// workloadRow is how much room there is for one workload.
type workloadRow struct {
	Name, Why string
	Bar       bar
}

// kindsOf are the pods that places are looked for.
func kindsOf(s provision.CapacitySummary) []kindOfPods {
	var kinds []kindOfPods
	if s.DeclaredFit != nil {
		kinds = append(kinds, kindOfPods{"Declared workloads", s.DeclaredFit, s.Declared})
	}
	if s.RunningFit != nil {
		k := kindOfPods{name: "What runs", fit: s.RunningFit}
		if s.Running != nil {
			k.asks = *s.Running
		}
		kinds = append(kinds, k)
	}
	return kinds
}

type kindOfPods struct {
	name string
	fit  *provision.CapacityFit
	asks provision.CapacityRoom
}

// unplaced says why nothing was placed that might have been; "" when all was.
func unplaced(r provision.CapacityReport) string {
	s := r.Summary
	switch {
	case r.Tier == 0:
		return "It was not looked at: tier 0 asks no host."
	case s.DeclaredFit == nil && s.Pods > 0:
		return "For the declared workloads it is not known: no host that takes ordinary pods has told what it has."
	case s.DeclaredFit == nil && s.RunningFit == nil:
		return "There is nothing to place: no workload is declared, and no cluster told what runs."
	}
	return ""
}

// fits is what finds a place with all hosts there.
func (v View) fits(r provision.CapacityReport) []placedGroup {
	var groups []placedGroup
	if why := unplaced(r); why != "" {
		groups = append(groups, placedGroup{Why: why})
	}
	for _, k := range kindsOf(r.Summary) {
		f := k.fit
		g := placedGroup{Name: k.name, Text: fmt.Sprintf("%d of %s find a place", f.Placed, count(f.Pods, "pod"))}
		if !f.Exact && f.Placed < f.Pods {
			g.Text += " in whatever order they come; in some, more may"
		}
		g.Text += "."
		if f.Unseen > 0 {
			g.Text += fmt.Sprintf(" Nothing was placed on %s of which nothing is known.", count(f.Unseen, "host"))
		}
		for _, w := range f.Workloads {
			g.Rows = append(g.Rows, workloadRow{v.clean(w.Name), v.clean(w.Why), roomFor(w)})
		}
		groups = append(groups, g)
	}
	return groups
}

// roomFor is as long as there is room for the one workload, each of its own length: pods
// of another are of another size.
func roomFor(w provision.CapacityWorkloadFit) bar {
	text := fmt.Sprintf("%d of %s placed; room for %d more", w.Placed, count(w.Pods, "pod"), w.More)
	has := w.Pods + w.More
	if w.Placed < w.Pods { // what is short is not to be hidden by other orders' room
		has = w.Placed
	}
	return newBar("Pods", text, amounts{has: int64(has), taken: int64(w.Pods)})
}

// headroom is what finds a place when the failure domains are lost that leave the least.
func (v View) headroom(r provision.CapacityReport) []placedGroup {
	var groups []placedGroup
	if why := unplaced(r); why != "" {
		groups = append(groups, placedGroup{Why: why})
	}
	for _, k := range kindsOf(r.Summary) {
		g := placedGroup{Name: k.name}
		if len(k.fit.Without) == 0 {
			g.Text = "No failure domain was taken away: there is none to lose."
			if r.Summary.Tolerate == 0 {
				g.Text = "No failure domain was taken away: none may be lost."
			}
			groups = append(groups, g)
			continue
		}
		g.Text = v.clean(lossText(k.fit))
		pods := newBar("Pods", fmt.Sprintf("%d of %d find a place", k.fit.Left, k.fit.Pods), amounts{has: int64(k.fit.Left), taken: int64(k.fit.Pods)})
		g.Bars = []bar{pods}
		if left := roomWithout(r.Summary, k.fit.Without); left != nil {
			g.Bars = append(g.Bars, bars(
				amountBar("CPU asked for, of what is left", int64(k.asks.CPU), int64(left.CPU), cpuText),
				amountBar("Memory asked for, of what is left", int64(k.asks.Memory), int64(left.Memory), gibibytes),
			)...)
		}
		groups = append(groups, g)
	}
	return groups
}

func lossText(f *provision.CapacityFit) string {
	noun := "failure domain "
	if len(f.Without) > 1 {
		noun = "failure domains "
	}
	text := "Without " + noun + strings.Join(f.Without, ", ") + ", "
	if f.Tried {
		text += "the worst to lose"
	} else {
		text += "of those that hold the most the worst to lose (not all were tried)"
	}
	if lost := f.Pods - f.Left; lost > 0 {
		return text + fmt.Sprintf(": %s may find no place.", count(lost, "pod"))
	}
	return text + ": all pods find a place."
}

// roomWithout is what there is when failure domains are lost; nil where that is not known,
// as of a host that is in no domain and so is one by itself.
func roomWithout(s provision.CapacitySummary, lost []string) *provision.CapacityRoom {
	if s.Allocatable == nil {
		return nil
	}
	left := *s.Allocatable
	for _, name := range lost {
		i := slices.IndexFunc(s.Domains, func(d provision.CapacityDomain) bool { return d.Name == name && name != "" })
		if i < 0 {
			return nil
		}
		if gone := s.Domains[i].Allocatable; gone != nil {
			left.CPU, left.Memory = max(0, left.CPU-gone.CPU), max(inventory.Bytes(0), left.Memory-gone.Memory)
		}
	}
	return &left
}

// growthSection is how many nodes can be added, what runs out first at its head.
type growthSection struct {
	Like string // "" when there is none
	Rows []limitRow
}

// limitRow is how many nodes a check bears. With is what Measured is of.
type limitRow struct {
	provision.CapacityLimit
	Many, With string
	First      bool
}

func (v View) growth(g *provision.CapacityGrowth) growthSection {
	if g == nil {
		return growthSection{}
	}
	out := growthSection{Like: v.clean(g.Like)}
	for i, l := range g.Limits {
		row := limitRow{CapacityLimit: l, First: slices.Contains(g.First, i)}
		for _, text := range []*string{&row.Subject, &row.Measured, &row.Threshold} {
			*text = v.clean(*text)
		}
		switch {
		case l.Never:
			row.Many, row.With = "Any number", fmt.Sprintf("With %d more, as far as was looked", l.Nodes)
		case l.Over:
			row.Many, row.With = "No more", "It has run out already"
		default:
			row.Many, row.With = count(l.Nodes, "more node"), fmt.Sprintf("With %d more", l.Nodes+1)
		}
		out.Rows = append(out.Rows, row)
	}
	rank := func(l limitRow) int {
		switch {
		case l.Over:
			return -1
		case l.Never:
			return math.MaxInt
		}
		return l.Nodes
	}
	slices.SortStableFunc(out.Rows, func(a, b limitRow) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}
