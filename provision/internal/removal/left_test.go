package removal

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/droverctl/drover/provision/plan"
)

// What says how a node is left speaks of the removal's own things, under their own names:
// what nobody knows under its name would look as if it had not begun.
func TestLeavingNamesWhatThereIs(t *testing.T) {
	former := Node{Name: "n2", Address: netip.MustParseAddr("10.90.0.22"), Reached: true, Former: &Former{UID: "u", Machine: "n2@10.90.0.22"}}
	for _, n := range []Node{master("m2", 2, true), former} {
		var there []plan.ID
		for _, r := range Of(inputs(n), nil).Resources {
			there = append(there, r.Item().ID)
		}
		l := n.Leaving()
		if !slices.Contains(there, l.Done) || !slices.Contains(l.Takes, l.Done) {
			t.Errorf("%s is done with %s, which is none of %v", n.Name, l.Done, there)
		}
		for _, id := range l.Takes {
			if !slices.Contains(there, id) && (n.Master || id.What() != "control-plane:stopped") {
				t.Errorf("%s: there is no %s: %v", n.Name, id, there)
			}
		}
	}
	if got := Emptying("n2"); got.Done != Drained("n2", Unasked, Drain{}).ID || len(got.Takes) > 0 {
		t.Errorf("%+v", got)
	}
}
