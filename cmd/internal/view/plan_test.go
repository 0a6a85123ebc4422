package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// byHand is a plan of sessions with two BIG-IPs that are managed by hand.
func byHand(missing map[string][]string) plan.Plan {
	p := plan.Plan{SchemaVersion: 1, Cluster: "c1"}
	hosts := []string{"m1", "n1", "n2"}
	for _, f5 := range []string{"f5-b", "f5-c"} {
		one := plan.ByHand{BigIP: f5, Up: []string{}, Missing: []string{}, Enter: []string{}, WaitSeconds: 600}
		for i, h := range hosts {
			c := plan.Change{Item: plan.Item{ID: plan.NewID(h, "bgp", f5)}, Action: plan.NoOp}
			if slices.Contains(missing[f5], h) {
				c.Action, c.Reason = plan.Update, "session with "+f5+" is Active, not Established"
				one.Missing = append(one.Missing, h)
				one.Enter = append(one.Enter, fmt.Sprintf(" neighbor 10.90.0.1%d peer-group c1", i))
			} else {
				one.Up = append(one.Up, h)
			}
			p.Changes = append(p.Changes, c)
		}
		if len(one.Missing) > 0 {
			one.Enter = append(append([]string{"enable", "configure terminal", "router bgp 64512"}, one.Enter...), "end", "write")
		}
		p.ByHand = append(p.ByHand, one)
	}
	return p
}

// ended is how a run of the plan ended: the sessions that came are no longer missing.
func ended(p plan.Plan, after plan.Plan) report.Report {
	r := report.Report{Took: 90 * time.Second, ByHand: after.ByHand}
	for i, c := range p.Changes {
		switch {
		case c.Action == plan.NoOp:
		case after.Changes[i].Action == plan.NoOp:
			r.Outcomes = append(r.Outcomes, report.Outcome{Change: c, Kind: report.Done})
		default:
			r.Outcomes = append(r.Outcomes, report.Outcome{Change: c, Kind: report.Failed, Err: errors.New("waited 10m0s")})
		}
	}
	return r
}

func TestByHand(t *testing.T) {
	well := byHand(nil)
	added := byHand(map[string][]string{"f5-b": {"n2"}, "f5-c": {"n1", "n2"}})
	begun := byHand(map[string][]string{"f5-b": {"m1", "n1", "n2"}})
	half := byHand(map[string][]string{"f5-c": {"n2"}})
	for name, show := range map[string]func(view.View) error{
		"plan-byhand-well":   func(v view.View) error { return v.Plan(well, view.Text) },
		"plan-byhand-added":  func(v view.View) error { return v.Plan(added, view.Text) },
		"plan-byhand-begun":  func(v view.View) error { return v.Plan(begun, view.Text) },
		"report-byhand-well": func(v view.View) error { return v.Report(ended(added, well)) },
		"report-byhand-late": func(v view.View) error { return v.Report(ended(added, half)) },
		"report-byhand-none": func(v view.View) error { return v.Report(ended(begun, begun)) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := show(view.View{Out: &out, Err: &out}); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", out.Bytes())
		})
	}
}

// What is to be entered is there for programs, too; and nothing is said of
// BIG-IPs by hand where there are none.
func TestByHandJSON(t *testing.T) {
	var out bytes.Buffer
	want := byHand(map[string][]string{"f5-b": {"n2"}})
	if err := (view.View{Out: &out}).Plan(want, view.JSON); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-byhand.json", out.Bytes())
	var got plan.Plan
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	out.Reset()
	if err := (view.View{Out: &out}).Plan(plan.Plan{Cluster: "c1"}, view.JSON); err != nil || bytes.Contains(out.Bytes(), []byte("by_hand")) {
		t.Errorf("%v: %s", err, out.Bytes())
	}
}
