package view

import (
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision"
)

// supposedText is what is supposed of the cluster that is told of.
func supposedText(supposed []string) string {
	if len(supposed) == 0 {
		return ""
	}
	return "supposed: " + strings.Join(supposed, "\n          ") + "\n\n"
}

// fitText is what finds a place, and of each declared workload how many more would.
func fitText(s provision.CapacitySummary) string {
	var b strings.Builder
	if f := s.DeclaredFit; f != nil {
		rows := []string{"WORKLOAD\tPODS\tPLACED\tMORE"}
		for _, w := range f.Workloads {
			rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%d", w.Name, w.Pods, w.Placed, w.More))
		}
		table(&b, rows)
		b.WriteString("\n")
	}
	var rows []string
	for _, f := range []struct {
		what string
		*provision.CapacityFit
	}{{"declared", s.DeclaredFit}, {"running", s.RunningFit}} {
		if f.CapacityFit != nil {
			rows = append(rows, f.what+"\t"+placedText(f.CapacityFit))
		}
	}
	if len(rows) > 0 {
		table(&b, rows)
		b.WriteString("\n")
	}
	return b.String()
}

func placedText(f *provision.CapacityFit) string {
	text := fmt.Sprintf("%d of %s find a place", f.Placed, count(f.Pods, "pod"))
	if !f.Exact && f.Placed < f.Pods {
		text += " in any order"
	}
	if len(f.Without) > 0 {
		noun := "failure domain "
		if len(f.Without) > 1 {
			noun = "failure domains "
		}
		text += fmt.Sprintf("; %d without %s%s", f.Left, noun, strings.Join(f.Without, ", "))
		if !f.Tried {
			text += " (of those that hold the most, the worst to lose)"
		}
	}
	if f.Unseen > 0 {
		text += fmt.Sprintf("; %s not looked at", count(f.Unseen, "host"))
	}
	return text
}

// growthText is how many nodes can be added, and what runs out first.
func growthText(g *provision.CapacityGrowth) string {
	if g == nil {
		return ""
	}
	var b strings.Builder
	first := map[int]bool{}
	for _, i := range g.First {
		first[i] = true
	}
	rows := []string{"NODES LIKE " + g.Like + "\tUNTIL\tIT IS\t"}
	for i, l := range g.Limits {
		what, nodes, then := l.Check, fmt.Sprintf("%d more", l.Nodes), fmt.Sprintf("%s: %s (threshold: %s)", l.Status, l.Measured, l.Threshold)
		if l.Subject != "" {
			what += " " + l.Subject
		}
		switch {
		case l.Never:
			nodes, then = "any", fmt.Sprintf("%s (threshold: %s)", l.Measured, l.Threshold)
		case l.Over:
			nodes = "no more"
		}
		if first[i] {
			what += ", first"
		}
		rows = append(rows, nodes+"\t"+what+"\t"+then)
	}
	table(&b, rows)
	return b.String() + "\n"
}
