package view

import (
	"cmp"
	"fmt"

	"github.com/droverctl/drover/provision"
)

// bar is how much of something is taken, with the words that say the same. Its
// lengths are as SVG has them; an empty one is not drawn.
type bar struct{ Name, Text, Has, Taken, Over string }

// amounts are what a bar's lengths come of, in one unit. What is taken may be more
// than there is.
type amounts struct{ has, taken, scale int64 }

func newBar(name, text string, a amounts) bar {
	a.has = max(a.has, 0) // what is kept back may be more than there is
	a.scale = max(a.scale, a.has, a.taken, 1)
	length := func(n int64) string {
		if n <= 0 {
			return ""
		}
		return fmt.Sprintf("%.2f%%", 100*float64(n)/float64(a.scale))
	}
	return bar{name, text, cmp.Or(length(a.has), "0%"), length(min(a.taken, a.has)), length(a.taken - a.has)}
}

// bars are those that can be drawn.
func bars(all ...*bar) []bar {
	var out []bar
	for _, b := range all {
		if b != nil {
			out = append(out, *b)
		}
	}
	return out
}

// share is how much n is of all, in words; it never rounds a shortage away.
func share(n, all int64) string {
	if n > all {
		return "more than there is"
	}
	return percent(n, all)
}

// percent has a space that no line is broken at.
func percent(n, all int64) string {
	return fmt.Sprintf("%.0f\u00a0%%", 100*float64(n)/float64(max(all, 1)))
}

// limited is a bar of what is counted; nil where nobody has told the limit.
func limited(name string, n, limit int64, verb string) *bar {
	if limit == 0 {
		return nil
	}
	b := newBar(name, fmt.Sprintf("%d of %d %s (%s)", n, limit, verb, share(n, limit)), amounts{has: limit, taken: n})
	return &b
}

// amountBar is a bar of what pods ask for.
func amountBar(name string, n, all int64, show func(int64) string) *bar {
	b := newBar(name, fmt.Sprintf("%s of %s (%s)", show(n), show(all), share(n, all)), amounts{has: all, taken: n})
	return &b
}

// domainSection is a row for each failure domain.
type domainSection struct {
	Lost, Legend string
	Rows         []domainRow
}

// domainRow has bars, or else says why not.
type domainRow struct {
	Name, Hosts, Why string
	Bars             []bar
}

func domainsOf(r provision.CapacityReport) domainSection {
	s := r.Summary
	out := domainSection{Lost: fmt.Sprintf("%s may be lost.", count(s.Tolerate, "failure domain"))}
	if s.Allocatable != nil {
		out.Legend = "A bar is as long as what the domain's hosts have for pods, beside DaemonSets; the narrower bar inside is what pods there ask for, striped where that is more than there is."
	}
	var cpu, memory int64
	for _, d := range s.Domains {
		for _, room := range []*provision.CapacityRoom{d.Allocatable, d.Running} {
			if room != nil {
				cpu, memory = max(cpu, int64(room.CPU)), max(memory, int64(room.Memory))
			}
		}
	}
	for _, d := range s.Domains {
		row := domainRow{Name: cmp.Or(d.Name, "No domain told"), Hosts: count(d.Masters, "master") + ", " + count(d.Nodes, "node")}
		switch {
		case d.Allocatable != nil:
			row.Hosts += fmt.Sprintf("; room on %s", count(d.Allocatable.Hosts, "host"))
			row.Bars = domainBars(d, cpu, memory)
		case r.Tier == 0:
			row.Why = "What it has was not looked at: tier 0 asks no host."
		default:
			row.Why = "No host of it that takes ordinary pods has told what it has."
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// domainBars are on one scale for all domains, so that they can be compared.
func domainBars(d provision.CapacityDomain, cpu, memory int64) []bar {
	one := func(name, unit string, scale int64, of func(provision.CapacityRoom) int64, show func(int64) string) bar {
		has := of(*d.Allocatable)
		if d.Running == nil {
			return newBar(name, show(has)+unit+"; no cluster told what is taken", amounts{has: has, scale: scale})
		}
		n := of(*d.Running)
		return newBar(name, fmt.Sprintf("%s of %s%s taken (%s)", show(n), show(has), unit, share(n, has)), amounts{has, n, scale})
	}
	return []bar{
		one("CPU", " cores", cpu, func(r provision.CapacityRoom) int64 { return int64(r.CPU) }, cpuText),
		one("Memory", "", memory, func(r provision.CapacityRoom) int64 { return int64(r.Memory) }, gibibytes),
	}
}
