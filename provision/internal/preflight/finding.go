package preflight

import "github.com/droverctl/drover/inventory/diag"

// Finding is one thing that stands in the way on one host. Its ID is API: scripts
// match on it, and waivers name it.
type Finding struct {
	ID       string   `json:"id"`
	Host     string   `json:"host"`
	Severity Severity `json:"severity"`
	Measured string   `json:"measured"`
	Wanted   string   `json:"wanted"`
	Text     string   `json:"text"`
	Fix      string   `json:"fix"`
	// Waived is the inventory's reason to bear it; empty when it does not.
	Waived string      `json:"waived,omitempty"`
	At     *diag.Range `json:"-"` // where the inventory says what is judged, or waives it
}

// Severity is how much a finding stands in the way.
type Severity string

// FAIL keeps a host from being touched, WARN does not.
const (
	Warn Severity = "WARN"
	Fail Severity = "FAIL"
)

// Failed reports whether something is found that must not be passed over.
func Failed(findings []Finding) bool { return count(findings, Fail) > 0 }

// Warned reports whether something is found that should not be.
func Warned(findings []Finding) bool { return count(findings, Warn) > 0 }

func count(findings []Finding, s Severity) int {
	n := 0
	for _, f := range findings {
		if f.Severity == s && f.Waived == "" {
			n++
		}
	}
	return n
}
