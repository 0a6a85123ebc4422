package capacity

import (
	"fmt"
	"math"
	"strconv"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

// Check is one judgement. Its ID is API: scripts match on it, and waivers name it.
type Check struct {
	ID        string      `json:"id"`
	Tier      int         `json:"tier"`
	Subject   string      `json:"subject,omitempty"` // what of several was judged: a host, a BIG-IP
	Status    Status      `json:"status"`
	Measured  string      `json:"measured"`
	Threshold string      `json:"threshold"`
	Formula   string      `json:"formula"`
	Source    string      `json:"source"` // whose threshold it is
	Fix       string      `json:"fix,omitempty"`
	Waived    *Waived     `json:"waived,omitempty"`
	At        *diag.Range `json:"at,omitempty"` // where the inventory says what was judged

	// weight is how bad it is, among checks of one ID: more is worse.
	weight float64
	// slack is by how much more is not worse yet.
	slack float64
}

// Status is the outcome of a check.
type Status string

// FAIL keeps a cluster from being made or changed, WARN does not.
const (
	Pass Status = "PASS"
	Warn Status = "WARN"
	Fail Status = "FAIL"
)

// Worst is the worst status among the checks that are not waived; Pass when there are
// none.
func Worst(checks []Check) Status {
	worst := Pass
	for _, c := range checks {
		if c.Waived == nil {
			worst = worse(worst, c.Status)
		}
	}
	return worst
}

// Problems are the checks that did not pass, told like every other mistake of
// an inventory.
func Problems(checks []Check) diag.Problems {
	var ps diag.Problems
	for _, c := range checks {
		if c.Status == Pass {
			continue
		}
		p := diag.Problem{
			Code: "capacity-" + c.ID, At: c.At, Fix: c.Fix,
			Summary: c.String(), Detail: fmt.Sprintf("%s (%s)", c.Formula, c.Source),
		}
		if c.Status == Warn || c.Waived != nil {
			p.Severity = diag.Warning
		}
		ps = append(ps, p)
	}
	return ps
}

// String is what was found, in one line.
func (c Check) String() string {
	of := ""
	if c.Subject != "" {
		of = " of " + c.Subject
	}
	text := fmt.Sprintf("capacity %s%s: %s (threshold: %s)", c.ID, of, c.Measured, c.Threshold)
	if c.Waived != nil {
		text += fmt.Sprintf(": %s, waived until %s: %s", c.Status, c.Waived.Until, c.Waived.Reason)
	}
	return text
}

// limits are where a check warns and FAILs: the inventory's figures, else drover's.
func limits(c *inventory.Cluster, id string, warn, fail float64) (float64, float64) {
	set := c.Capacity.Threshold(id)
	if set.Warn != nil {
		warn = *set.Warn
	}
	if set.Fail != nil {
		fail = *set.Fail
	}
	return warn, fail
}

// figure is a number as people write it.
func figure(f float64) string {
	f = math.Round(f*100) / 100
	if f == 0 { // nor is it -0
		return "0"
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// grade compares n with the numbers above which it warns and fails.
func grade[T int64 | float64](n, warn, fail T) Status {
	switch {
	case n > fail:
		return Fail
	case n > warn:
		return Warn
	}
	return Pass
}

// fourFifths is where a limit comes into sight: above it there is little room
// left to grow. The figure is drover's own.
func fourFifths(limit int64) int64 { return limit * 4 / 5 }

// judged fills in what the reference says of a check, its status, and its fix,
// which a check that passes has no need of.
func (c Check) judged(s Status, fix string) Check {
	rule := ruleOf(c.ID)
	c.Status, c.Tier, c.Source = s, rule.Tier, rule.Source
	if c.Formula == "" { // else it names what was put in
		c.Formula = rule.Formula
	}
	if s != Pass {
		c.Fix = fix
	}
	return c
}
