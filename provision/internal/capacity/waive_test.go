package capacity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/inventory"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateTime, s+" 15:00:00")
	if err != nil {
		panic(err)
	}
	return t
}

// What is waived stays what it is and stops nothing, to the end of its day; what is
// waived for nothing, or not any more, is told.
func TestWaive(t *testing.T) {
	for _, test := range []struct {
		name    string
		waiver  inventory.Waiver
		now     string
		waived  bool
		worst   Status
		notes   string // a part of the only one; "": none
		unasked bool   // nobody looked for it
	}{
		{name: "before its day", waiver: inventory.Waiver{Check: "mesh-size", Reason: "r", Expires: "2027-01-31"}, now: "2027-01-30", waived: true, worst: Pass},
		{name: "on its day", waiver: inventory.Waiver{Check: "mesh-size", Reason: "r", Expires: "2027-01-31"}, now: "2027-01-31", waived: true, worst: Pass},
		{name: "two days after", waiver: inventory.Waiver{Check: "mesh-size", Reason: "r", Expires: "2027-01-31"}, now: "2027-02-02", worst: Fail, notes: "mesh-size is not waived any more: its waiver expired on 2027-01-31, and it is still a FAIL"},
		{name: "over, and of nothing", waiver: inventory.Waiver{Check: "pod-blocks", Reason: "r", Expires: "2027-01-31"}, now: "2027-02-02", worst: Fail, notes: "the waiver of pod-blocks expired on 2027-01-31"},
		{name: "of nothing", waiver: inventory.Waiver{Check: "pod-blocks", Reason: "r", Expires: "2027-01-31"}, now: "2027-01-30", worst: Fail, notes: "pod-blocks is waived, but it neither FAILs nor warns"},
		{name: "of another host", waiver: inventory.Waiver{Check: "mesh-size", Hosts: []string{"n1"}, Reason: "r", Expires: "2027-01-31"}, now: "2027-01-30", worst: Fail, notes: "mesh-size of n1 is waived, but it is about no single host, and still a FAIL"},
		{name: "of another host, and not all was looked for", waiver: inventory.Waiver{Check: "mesh-size", Hosts: []string{"n1"}, Reason: "r", Expires: "2027-01-31"}, now: "2027-01-30", worst: Fail, notes: "mesh-size of n1 is waived, but it is about no single host", unasked: true},
		{name: "of what was not looked for", waiver: inventory.Waiver{Check: "pod-blocks", Reason: "r", Expires: "2027-01-31"}, now: "2027-01-30", worst: Fail, unasked: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := sized(abc(), 98)
			c.Capacity.Waivers = []inventory.Waiver{test.waiver}
			checks, notes := Waive(Tier0(c), c, day(test.now), func(string) bool { return !test.unasked })
			if got := Worst(checks); got != test.worst {
				t.Errorf("worst is %s, not %s", got, test.worst)
			}
			for _, check := range checks {
				if is := check.Waived != nil; is != (test.waived && check.ID == "mesh-size") {
					t.Errorf("%s: waived %t", check.ID, is)
				}
				if check.ID == "mesh-size" && check.Status != Fail {
					t.Errorf("it is a %s", check.Status)
				}
			}
			if (len(notes) == 1) != (test.notes != "") || !strings.Contains(fmt.Sprint(notes), test.notes) {
				t.Errorf("notes: %v", notes)
			}
		})
	}
}

func TestThresholdsThatAreSet(t *testing.T) {
	c := sized(abc(), 58) // 61 hosts
	set := func(id string, warn, fail float64) {
		c.Capacity.Thresholds = []inventory.Threshold{{Check: id, Warn: &warn, Fail: &fail}}
	}
	status := func(id string) Status {
		for _, check := range Tier0(c) {
			if check.ID == id {
				return check.Status
			}
		}
		return ""
	}
	for _, test := range []struct {
		warn, fail float64
		want       Status
	}{{62, 70, Pass}, {61, 70, Warn}, {50, 61, Warn}, {50, 60, Fail}} {
		set("mesh-size", test.warn, test.fail)
		if got := status("mesh-size"); got != test.want {
			t.Errorf("61 hosts, warn %v, fail %v: %s", test.warn, test.fail, got)
		}
	}
	for warn, want := range map[float64]Status{110: Pass, 109: Warn, 250: Pass} {
		set("pods-per-host", warn, 0)
		if got := status("pods-per-host"); got != want {
			t.Errorf("110 pods, warn %v: %s", warn, got)
		}
	}
}
