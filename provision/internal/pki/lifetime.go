package pki

import (
	"fmt"
	"time"

	"github.com/droverctl/drover/inventory/diag"
)

// Codes of the problems found here.
const (
	CodeCAEnds  = "ca-ends"
	CodeCAEnded = "ca-ended"
)

// Lifetime judges how long a CA still lasts: nothing while there is more than a
// year left, a warning in its last year, an error in its last 90 days. Leaves
// are not judged: they are renewed.
func Lifetime(ca Description, now time.Time) diag.Problems {
	left := ca.NotAfter.Sub(now)
	p := diag.Problem{
		Code:    CodeCAEnds,
		Summary: fmt.Sprintf("the CA %s ends on %s, in %d days", ca.CommonName, date(ca.NotAfter), int(left/(24*time.Hour))),
		Detail:  "Every certificate it signed ends with it, and no longer-lived one can be issued.",
		Fix:     "plan its replacement: hosts must trust the old and the new one together before leaves are issued by the new one; drover has no verb for that yet",
	}
	switch {
	case left <= 0:
		p.Code = CodeCAEnded
		p.Summary = fmt.Sprintf("the CA %s ended on %s", ca.CommonName, date(ca.NotAfter))
		p.Detail = "Nothing that it signed is accepted any more."
		p.Fix = "check first that the clocks are right, here and on the masters; if they are, this CA is to be replaced by hand: drover has no verb for that yet"
	case left < FailCABefore:
	case left < WarnCABefore:
		p.Severity = diag.Warning
	default:
		return nil
	}
	return diag.Problems{p}
}
