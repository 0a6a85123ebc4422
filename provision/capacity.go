package provision

import (
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/capacity"
)

// CapacityCheck is one judgement of whether the cluster can hold what it must.
type CapacityCheck = capacity.Check

// CapacityWaived is why and until when a check's outcome is borne.
type CapacityWaived = capacity.Waived

// CapacityStatus is the outcome of a check, or of all of them.
type CapacityStatus = capacity.Status

// FAIL keeps a cluster from being made or changed, WARN does not.
const (
	CapacityPass = capacity.Pass
	CapacityWarn = capacity.Warn
	CapacityFail = capacity.Fail
)

// CapacityRule is a check as the reference tells of it.
type CapacityRule = capacity.Rule

// CapacityReference is every check there is.
func CapacityReference() []CapacityRule { return capacity.Reference() }

// Capacity judges what the inventory alone can tell.
func Capacity(c *inventory.Cluster) []CapacityCheck { return capacity.Tier0(c) }

// ValidateCapacity is Capacity with what the inventory waives, and what is wrong with
// its waivers.
func ValidateCapacity(c *inventory.Cluster, now time.Time) ([]CapacityCheck, diag.Problems) {
	checks, notes := capacity.Waive(capacity.Tier0(c), c, now, capacity.UpToTier(0))
	c.Quote(notes)
	return checks, notes
}

// CapacityWorst is the worst of the checks' outcomes.
func CapacityWorst(checks []CapacityCheck) CapacityStatus { return capacity.Worst(checks) }

// CapacityProblems are the checks that did not pass, told as an inventory's
// mistakes are.
func CapacityProblems(checks []CapacityCheck) diag.Problems { return capacity.Problems(checks) }
