package view

import "testing"

// No bar is longer than its scale, also where there is less than nothing.
func TestBarOfLessThanNothing(t *testing.T) {
	for has, want := range map[int64]bar{
		10:  {Has: "25.00%", Taken: "25.00%", Over: "75.00%"},
		0:   {Has: "0%", Over: "100.00%"},
		-10: {Has: "0%", Over: "100.00%"},
	} {
		if got := newBar("", "", amounts{has: has, taken: 40, scale: 30}); got != want {
			t.Errorf("40 of %d: %+v", has, got)
		}
	}
}
