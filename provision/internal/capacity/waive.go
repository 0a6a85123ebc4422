package capacity

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

// Waived is why what a check found is borne, and until when.
type Waived struct {
	Reason string `json:"reason"`
	Until  string `json:"until"` // the last day
}

// The codes of what is wrong with a waiver.
const (
	CodeExpired = "capacity-waiver-expired"
	CodeIdle    = "capacity-waiver-idle"
)

// Waive marks the checks that the inventory bears: what they found stays as it is, and
// stops nothing. It warns of waivers that have expired, and of those that are of
// nothing that was found: judged says whether a check was made on all that it is
// about, for else it may have found nothing because nobody looked.
func Waive(checks []Check, c *inventory.Cluster, now time.Time, judged func(id string) bool) ([]Check, diag.Problems) {
	checks = slices.Clone(checks)
	var notes diag.Problems
	for _, w := range c.Capacity.Waivers {
		found, worst, whole := false, Pass, Pass
		for i, check := range checks {
			if check.ID == w.Check && check.Subject == "" {
				whole = worse(whole, check.Status)
			}
			if check.Status == Pass || !w.Covers(check.ID, check.Subject) {
				continue
			}
			found, worst = true, worse(worst, check.Status)
			if !w.Expires.Over(now) {
				checks[i].Waived = &Waived{w.Reason, string(w.Expires)}
			}
		}
		at := w.Where.At("name").Ptr()
		switch {
		case found && w.Expires.Over(now):
			notes = append(notes, diag.Problem{
				Code: CodeExpired, At: w.Where.At("expires").Ptr(), Severity: diag.Warning,
				Summary: fmt.Sprintf("%s is not waived any more: its waiver expired on %s, and it is still a %s", w.Check, w.Expires, worst),
				Fix:     "mend what it waived, or give it another day: expires",
			})
		case w.Expires.Over(now):
			notes = append(notes, diag.Problem{
				Code: CodeExpired, At: at, Severity: diag.Warning,
				Summary: fmt.Sprintf("the waiver of %s expired on %s", w.Check, w.Expires), Fix: "remove it",
			})
		case !found && whole != Pass:
			notes = append(notes, diag.Problem{
				Code: CodeIdle, At: w.Where.At("hosts").Ptr(), Severity: diag.Warning,
				Summary: fmt.Sprintf("%s is waived, but it is about no single host, and still a %s", idle(w), whole), Fix: "leave out hosts",
			})
		case !found && judged(w.Check):
			notes = append(notes, diag.Problem{
				Code: CodeIdle, At: at, Severity: diag.Warning,
				Summary: fmt.Sprintf("%s is waived, but it neither FAILs nor warns", idle(w)), Fix: "remove it",
			})
		}
	}
	return checks, notes
}

func idle(w inventory.Waiver) string {
	if len(w.Hosts) == 0 {
		return w.Check
	}
	return w.Check + " of " + strings.Join(w.Hosts, ", ")
}

// UpToTier is the checks that tiers up to one make.
func UpToTier(tier int) func(id string) bool {
	return func(id string) bool { return ruleOf(id).Tier <= tier }
}

// worse is the worse of two statuses.
func worse(a, b Status) Status {
	if b == Fail || b == Warn && a == Pass {
		return b
	}
	return a
}
