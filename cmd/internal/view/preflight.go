package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision"
)

type factsJSON struct {
	SchemaVersion int               `json:"schema_version"`
	Cluster       string            `json:"cluster"`
	Hosts         []provision.Facts `json:"hosts"`
	Away          map[string]string `json:"away"` // and why
}

// Facts shows what hosts are; as text, the gist of it.
func (v View) Facts(s provision.Survey, f Format) error {
	if f == JSON {
		return v.json(factsJSON{1, s.Cluster.Name, s.Facts, reasons(s.Away)})
	}
	rows := []string{"HOST\tSYSTEM\tKERNEL\tCPUS\tMEMORY\tDISK FREE\tCLOCK\tLOGIN\tDROVER"}
	for _, h := range s.Facts {
		login := h.Login
		if h.Sudo {
			login += " (sudo)"
		}
		rows = append(rows, fmt.Sprintf("%s\t%s %s\t%s %s\t%d\t%s\t%s\t%s\t%s\t%s", h.Host, h.OS.ID, h.OS.Version, h.Kernel, h.Arch,
			h.CPUs, gibibytes(h.Memory), leastFree(h), offset(h.Clock.Offset, h.Clock.Error), login, drove(h)))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Away)) {
		rows = append(rows, name+"\tAWAY")
	}
	var b strings.Builder
	table(&b, rows)
	return v.Line(strings.TrimRight(b.String(), "\n"))
}

func reasons(away map[string]error) map[string]string {
	m := map[string]string{}
	for name, err := range away {
		m[name] = err.Error()
	}
	return m
}

// leastFree is the file system with the least room, of those that matter.
func leastFree(h provision.Facts) string {
	if len(h.Disks) == 0 {
		return "-"
	}
	d := h.Disks[0]
	for _, o := range h.Disks {
		if o.Free < d.Free {
			d = o
		}
	}
	return fmt.Sprintf("%s (%s)", gibibytes(d.Free), d.Mount)
}

func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

func offset(d, e time.Duration) string {
	return fmt.Sprintf("%+.3f ± %.3f s", d.Seconds(), e.Seconds())
}

func drove(h provision.Facts) string {
	switch {
	case h.Drove.Member:
		return "member"
	case h.Drove.Began:
		return "begun"
	}
	return "-"
}

type preflightJSON struct {
	SchemaVersion int               `json:"schema_version"`
	Cluster       string            `json:"cluster"`
	Hosts         []string          `json:"hosts"` // that were asked
	Away          map[string]string `json:"away"`
	Findings      []findingJSON     `json:"findings"`
}

// findingJSON puts the place beside the finding as the capacity checks have it.
type findingJSON struct {
	provision.Finding
	At string `json:"at,omitempty"` // file:line:column
}

// Preflight shows what was found on the hosts that were asked.
func (v View) Preflight(s provision.Survey, findings []provision.Finding, f Format) error {
	if f == JSON {
		doc := preflightJSON{SchemaVersion: 1, Cluster: s.Cluster.Name, Hosts: []string{}, Away: reasons(s.Away), Findings: []findingJSON{}}
		for _, h := range s.Facts {
			doc.Hosts = append(doc.Hosts, h.Host)
		}
		for _, found := range findings {
			j := findingJSON{Finding: found}
			if found.At != nil {
				j.At = found.At.String()
			}
			doc.Findings = append(doc.Findings, j)
		}
		return v.json(doc)
	}
	text := findingsText(findings)
	if text != "" {
		text += "\n"
	}
	return v.Line(text + verdictOf(s, findings))
}

// Findings tells, beside other things, what is not waived of what was found.
func (v View) Findings(findings []provision.Finding) {
	findings = slices.DeleteFunc(slices.Clone(findings), func(f provision.Finding) bool { return f.Waived != "" })
	if text := findingsText(findings); text != "" {
		fmt.Fprint(v.Err, "\n"+text)
	}
}

func verdictOf(s provision.Survey, findings []provision.Finding) string {
	var fails, warns, waived int
	for _, f := range findings {
		switch {
		case f.Waived != "":
			waived++
		case f.Severity == provision.FindingFail:
			fails++
		default:
			warns++
		}
	}
	text := fmt.Sprintf("cluster %s: %s: %d FAIL, %d WARN, %d waived", s.Cluster.Name, count(len(s.Facts), "host"), fails, warns, waived)
	if len(s.Away) > 0 {
		text += fmt.Sprintf("; %s could not be asked: %s", count(len(s.Away), "host"), listed(slices.Sorted(maps.Keys(s.Away))))
	} else if fails == 0 {
		text += "; nothing stands in the way"
	}
	return text
}

// findingsText is a paragraph for each thing found: what is the same on several
// hosts is told once.
func findingsText(findings []provision.Finding) string {
	type same struct{ what, waived string }
	hosts := map[same][]string{}
	key := func(f provision.Finding) same { return same{string(f.Severity) + f.ID + f.Text + f.Fix, f.Waived} }
	for _, f := range findings {
		hosts[key(f)] = append(hosts[key(f)], f.Host)
	}
	var b strings.Builder
	for _, f := range findings {
		on := hosts[key(f)]
		if on == nil {
			continue
		}
		delete(hosts, key(f))
		word, last := string(f.Severity), "fix: "+f.Fix
		if f.Waived != "" {
			word, last = "waived", "because: "+f.Waived
		}
		fmt.Fprintf(&b, "%-6s  %s  %s\n        %s\n        %s\n", word, f.ID, listed(on), f.Text, last)
	}
	return b.String()
}
