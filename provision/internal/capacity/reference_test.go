package capacity

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
)

// The inventory lets every check be waived that there is, and no other.
func TestReferenceIsWhatCanBeWaived(t *testing.T) {
	var made, named []string
	for _, r := range Reference() {
		made = append(made, r.ID)
	}
	for _, c := range inventory.CapacityChecks() {
		named = append(named, c.ID)
	}
	if d := cmp.Diff(made, named); d != "" {
		t.Errorf("-reference +inventory:\n%s", d)
	}
}

// The reference holds the checks that are made and no other: each of its rules is
// of a row of the threshold tables, and each check made has a rule.
func TestReference(t *testing.T) {
	rules := map[string]Rule{}
	for _, r := range Reference() {
		if _, twice := rules[r.ID]; twice {
			t.Errorf("%s stands twice in the reference", r.ID)
		}
		if r.Judges == "" || r.Formula == "" || r.Threshold == "" || r.Source == "" || r.Example == "" {
			t.Errorf("incomplete: %+v", r)
		}
		rules[r.ID] = r
	}
	made := map[string]bool{}
	note := func(c Check) {
		r, ok := rules[c.ID]
		if !ok || r.Tier != c.Tier {
			t.Errorf("%s of tier %d is emitted, the reference has %+v", c.ID, c.Tier, r)
		}
		made[c.ID] = true
	}
	for _, row := range tier0Rows() {
		for _, c := range Tier0(row.cluster) {
			note(c)
		}
	}
	for _, row := range tier1Rows() {
		for _, c := range Tier1(row.in) {
			note(c)
		}
	}
	for _, row := range tier2Rows() {
		for _, c := range Tier2(sized(abc(), 1), map[string]Measured{"m1": row.m}) {
			note(c)
		}
	}
	for id := range rules {
		if !made[id] {
			t.Errorf("the reference has %s, which no check emits", id)
		}
	}
}
