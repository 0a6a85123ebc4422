package preflight

import (
	"fmt"

	"github.com/droverctl/drover/provision/internal/catalog"
)

// Puppet is what one host's agent manages, as far as it stands in the way.
type Puppet struct {
	Conflicts []catalog.Conflict
	// From is what tells of them, as catalog.Managed has it.
	From string
	// Why says why no more is known; empty when all is.
	Why string
	// Err is why it could not be looked at.
	Err error
}

// puppetManaged tells of what Puppet manages and drover is about to write: the two would
// take turns, with every run of either.
func puppetManaged(r round) []Finding {
	var all []Finding
	for _, s := range r.hosts {
		p, there := r.Puppet[s.Name]
		if !there {
			continue
		}
		for _, f := range p.findings() {
			f.Host = s.Name
			all = append(all, f)
		}
	}
	return all
}

const managedByNobodyElse = "what drover writes is managed by drover alone"

func (p Puppet) findings() []Finding {
	switch {
	case p.Err != nil:
		return []Finding{{
			Severity: Fail, Measured: "not known", Wanted: managedByNobodyElse,
			Text: fmt.Sprintf("what Puppet manages there could not be looked at: %v", p.Err),
			Fix:  "see that `puppet config print` works there as root",
		}}
	case p.From == "" && p.Why == "": // the agent has never run, and manages nothing
		return nil
	case p.From == "":
		return []Finding{{
			Severity: Warn, Measured: "not known", Wanted: managedByNobodyElse,
			Text: "what Puppet manages there is not known: " + p.Why,
			Fix:  "have the agent make it anew: `puppet agent -t` there",
		}}
	}
	var out []Finding
	for _, group := range grouped(p.Conflicts) {
		c := group[0]
		f := Finding{Severity: Fail, Measured: c.Resource.String() + " at " + c.Place(), Wanted: managedByNobodyElse}
		if c.Bearable {
			f.Severity = Warn
		}
		f.Text = fmt.Sprintf("%s: Puppet's %s %s (%s)", listed(names(group)), c.Resource, c.Why, c.Place())
		if p.From != "catalog" {
			f.Text += ", by the titles in " + p.From + " alone"
		}
		f.Fix = c.Fix
		if f.Fix == "" {
			f.Fix = "take it out of what Puppet manages there (of a directory that is purged: `ignore` it), and let the agent run once; " +
				"when puppet-managed is waived, drover writes it, Puppet writes it back at its next run, and so on"
		}
		out = append(out, f)
	}
	return out
}

// grouped are conflicts by the resource that they are with.
func grouped(all []catalog.Conflict) [][]catalog.Conflict {
	var groups [][]catalog.Conflict
	index := map[string]int{}
	for _, c := range all {
		key := c.Resource.String() + c.Why
		i, known := index[key]
		if !known {
			i = len(groups)
			index[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

func names(group []catalog.Conflict) []string {
	var out []string
	for _, c := range group {
		out = append(out, c.What)
	}
	return out
}
