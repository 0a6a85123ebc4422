package view

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision"
)

// capacitySchema is the schema that what Capacity writes as JSON keeps to.
//
//go:embed capacity.schema.json
var capacitySchema string

// CapacitySchema prints the schema of capacity's JSON.
func (v View) CapacitySchema() error { return v.Line(strings.TrimRight(capacitySchema, "\n")) }

type capacityReportJSON struct {
	SchemaVersion int                       `json:"schema_version"`
	Cluster       string                    `json:"cluster"`
	Tier          int                       `json:"tier"`
	Worst         provision.CapacityStatus  `json:"worst"` // of what is not waived
	Summary       provision.CapacitySummary `json:"summary"`
	Checks        []capacityJSON            `json:"checks"`
	Problems      []problem                 `json:"problems"` // of waivers
	Warnings      []string                  `json:"warnings"`
	Away          map[string]string         `json:"away"` // and why
	Supposed      []string                  `json:"supposed"`
	Growth        *provision.CapacityGrowth `json:"growth,omitempty"`
}

// Capacity shows what a cluster can hold and must.
func (v View) Capacity(r provision.CapacityReport, f Format) error {
	if f == JSON {
		return v.json(capacityReportJSON{
			SchemaVersion: 1, Cluster: r.Cluster.Name, Tier: r.Tier, Worst: provision.CapacityWorst(r.Checks), Summary: r.Summary,
			Checks: capacityChecksJSON(r.Checks), Problems: problemsJSON(r.Notes), Warnings: list(r.Warnings), Away: reasons(r.Away),
			Supposed: list(r.Supposed), Growth: r.Growth,
		})
	}
	v.Problems(r.Notes)
	for _, w := range r.Warnings {
		v.Warn("%s", w)
	}
	var b strings.Builder
	s := r.Summary
	b.WriteString(supposedText(r.Supposed))
	fmt.Fprintf(&b, "cluster %s: %s, %s; profile %s; %s may be lost\n\n", r.Cluster.Name, count(s.Masters, "master"), count(s.Nodes, "node"),
		s.Profile, count(s.Tolerate, "failure domain"))
	table(&b, summaryRows(s))
	b.WriteString("\n")
	table(&b, domainRows(s))
	b.WriteString("\n")
	b.WriteString(fitText(s))
	b.WriteString(growthText(r.Growth))
	b.WriteString(checksText(r.Checks))
	fmt.Fprintf(&b, "capacity up to tier %d: %s", r.Tier, capacityCounts(r.Checks))
	return v.Line(b.String())
}

func summaryRows(s provision.CapacitySummary) []string {
	a := s.Addresses
	rows := []string{
		fmt.Sprintf("pods\t%d addresses in %s, %d blocks of /%d; %d may be needed", a.Pods, a.PodCIDR, a.Blocks, a.BlockSize, a.BlocksUsed),
		fmt.Sprintf("services\t%d addresses in %s", a.Services, a.ServiceCIDR),
	}
	if s.Mesh > 0 {
		rows = append(rows, fmt.Sprintf("mesh\t%s between %s", count(s.Mesh, "BGP session"), count(s.Masters+s.Nodes, "host")))
	}
	of := func(max int) string {
		if max == 0 {
			return "" // nobody has told
		}
		return fmt.Sprintf(" of %d", max)
	}
	for _, f5 := range s.BigIPs {
		rows = append(rows, fmt.Sprintf("%s\t%d%s BGP sessions, %d%s routes", f5.Name, f5.Sessions, of(f5.MaxPeers), f5.Routes, of(f5.MaxRoutes)))
	}
	if s.Pods > 0 {
		rows = append(rows, fmt.Sprintf("declared\t%s ask for %s CPU and %s", count(s.Pods, "pod"), cores(s.Declared.CPU), gibibytes(int64(s.Declared.Memory))))
	}
	if s.Running != nil {
		rows = append(rows, fmt.Sprintf("running\tpods ask for %s CPU and %s", cores(s.Running.CPU), gibibytes(int64(s.Running.Memory))))
	}
	if s.Allocatable != nil {
		rows = append(rows, fmt.Sprintf("room\t%s CPU and %s on %s", cores(s.Allocatable.CPU), gibibytes(int64(s.Allocatable.Memory)), count(s.Allocatable.Hosts, "host")))
	}
	return rows
}

func cores(m inventory.MilliCPU) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", float64(m)/1000), "0"), ".")
}

func domainRows(s provision.CapacitySummary) []string {
	rows := []string{"FAILURE DOMAIN\tMASTERS\tNODES\tCPU\tMEMORY"}
	for _, d := range s.Domains {
		name, cpu, memory := d.Name, "-", "-"
		if name == "" {
			name = "(not told)"
		}
		if d.Allocatable != nil {
			cpu, memory = cores(d.Allocatable.CPU), gibibytes(int64(d.Allocatable.Memory))
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%s\t%s", name, d.Masters, d.Nodes, cpu, memory))
	}
	return rows
}

// checksText is a line for each check that passes, and a paragraph for each that does
// not.
func checksText(checks []provision.CapacityCheck) string {
	var b strings.Builder
	rows := []string{}
	for _, c := range checks {
		if c.Status == provision.CapacityPass {
			rows = append(rows, fmt.Sprintf("PASS\t%s\t%s\t(threshold: %s)", c.ID, c.Measured, c.Threshold))
		}
	}
	if len(rows) > 0 {
		table(&b, rows)
		b.WriteString("\n")
	}
	if text := judgedText(checks); text != "" {
		b.WriteString(text + "\n")
	}
	return b.String()
}

// judgedText is a paragraph for each check that does not pass: what is the same of
// several hosts is told once.
func judgedText(checks []provision.CapacityCheck) string {
	var b strings.Builder
	type same struct{ status, id, measured, threshold, fix, waived string }
	of := func(c provision.CapacityCheck) same {
		s := same{string(c.Status), c.ID, c.Measured, c.Threshold, c.Fix, ""}
		if c.Waived != nil {
			s.waived = fmt.Sprintf("waived until %s: %s", c.Waived.Until, c.Waived.Reason)
		}
		return s
	}
	named := map[same][]string{}
	for _, c := range checks {
		if c.Status != provision.CapacityPass {
			named[of(c)] = append(named[of(c)], c.Subject)
		}
	}
	for _, c := range checks {
		on, ok := named[of(c)]
		if !ok {
			continue
		}
		delete(named, of(c))
		fmt.Fprintf(&b, "%s  %s", c.Status, c.ID)
		if on[0] != "" {
			fmt.Fprintf(&b, "  %s", listed(on))
		}
		fmt.Fprintf(&b, "\n      %s (threshold: %s)\n      %s (%s)\n", c.Measured, c.Threshold, c.Formula, c.Source)
		if w := of(c).waived; w != "" {
			fmt.Fprintf(&b, "      %s\n", w)
			continue
		}
		fmt.Fprintf(&b, "      fix: %s\n", c.Fix)
	}
	return b.String()
}

// CapacityJudged tells, beside other things, of checks that do not pass.
func (v View) CapacityJudged(checks []provision.CapacityCheck, notes diag.Problems) {
	v.Problems(notes)
	if text := judgedText(checks); text != "" {
		fmt.Fprint(v.Err, "\n"+text)
	}
}

func capacityChecksJSON(checks []provision.CapacityCheck) []capacityJSON {
	out := []capacityJSON{}
	for _, check := range checks {
		j := capacityJSON{CapacityCheck: check}
		if check.At != nil {
			j.At = check.At.String()
		}
		out = append(out, j)
	}
	return out
}

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
