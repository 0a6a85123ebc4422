package view

import (
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision"
)

type checksJSON struct {
	SchemaVersion int                      `json:"schema_version"`
	Checks        []provision.CapacityRule `json:"checks"`
}

// CapacityChecks shows the reference of capacity's checks.
func (v View) CapacityChecks(rules []provision.CapacityRule, f Format) error {
	if f == JSON {
		return v.json(checksJSON{1, rules})
	}
	var b strings.Builder
	for i, r := range rules {
		if i == 0 || r.Tier != rules[i-1].Tier {
			fmt.Fprintf(&b, "tier %d: %s\n\n", r.Tier, tiers[r.Tier])
		}
		fmt.Fprintf(&b, "%s\n  judges     %s\n  formula    %s\n  threshold  %s\n  source     %s\n  example    %s\n",
			r.ID, r.Judges, r.Formula, r.Threshold, r.Source, r.Example)
		if r.Unit != "" {
			fmt.Fprintf(&b, "  settable   %s, in %s\n", strings.Join(r.Settable, " and "), r.Unit)
		}
		b.WriteString("\n")
	}
	return v.Line(strings.TrimRight(b.String(), "\n"))
}

// tiers are what capacity's tiers look at.
var tiers = []string{"the inventory alone", "what the hosts are, and what the cluster's pods ask for", "measurements on the hosts"}

func capacityCounts(checks []provision.CapacityCheck) string {
	counts, waived := map[provision.CapacityStatus]int{}, 0
	for _, c := range checks {
		counts[c.Status]++
		if c.Waived != nil {
			waived++
		}
	}
	text := fmt.Sprintf("%d PASS, %d WARN, %d FAIL", counts[provision.CapacityPass], counts[provision.CapacityWarn], counts[provision.CapacityFail])
	if waived > 0 {
		text += fmt.Sprintf(" (%d waived)", waived)
	}
	return text
}
