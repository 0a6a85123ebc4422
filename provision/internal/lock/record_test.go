package lock

import (
	"testing"
	"time"
)

// A claim is read as it was written, with the digest of the inventory or, as those of
// drovers that recorded none, without.
func TestAClaimIsReadAsItWasWritten(t *testing.T) {
	for _, digest := range []string{"", "sha256:0123"} {
		c := Claim{Run: "r", Owner: "alice@admin", PID: 7, Reason: "drover apply", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Inventory: digest, Process: "b/n/7/1"}
		if e, ok := Parse("/x/12.drover", c.text()+"\nttl=60\nboot=b\ngranted=1\nuntil=62"); !ok || e.Claim != c || e.Epoch != 12 {
			t.Errorf("%+v, want %+v", e, c)
		}
	}
}
