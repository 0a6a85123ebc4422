package view_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// timeless gives a time to what view tells of at its own.
type timeless struct{ bytes.Buffer }

func (b *timeless) Write(line []byte) (int, error) {
	before, rest, found := strings.Cut(string(line), `"time":"`)
	_, after, _ := strings.Cut(rest, `"`)
	if !found || before != `{"schema_version":1,` {
		return b.Buffer.Write(line)
	}
	return b.Buffer.WriteString(before + `"time":"T"` + after)
}

// every is an event of each kind that a run has.
func every() []report.Event {
	at := time.Date(2026, 8, 1, 12, 0, 0, 123456789, time.FixedZone("CEST", 7200))
	id := plan.NewID("kube-node-1", "unit", "kubelet.service")
	return []report.Event{
		{Time: at, Kind: report.HostStarted, Host: "kube-node-1", Text: "look"},
		{Time: at, Kind: report.HostDone, Host: "kube-node-1", Text: "look", Took: 1234567 * time.Microsecond},
		{Time: at, Kind: report.HostFailed, Host: "kube-node-2", Text: "look", Err: errors.New("kube-node-2: unreachable"), Took: 20 * time.Second},
		{Time: at, Kind: report.Started, ID: id, Action: plan.Restart, Text: "active is inactive, not active"},
		{Time: at, Kind: report.Waiting, ID: id, Action: plan.Restart, Text: "to be active: it is activating"},
		{Time: at, Kind: report.Done, ID: id, Action: plan.Restart},
		{Time: at, Kind: report.Failed, ID: id, Action: plan.Restart, Err: errors.New("exit code 1: \x1b[31mbad\x1b[0m\r <&> \"quoted\"\nin two lines of hunter2"), Took: time.Second},
		{Time: at, Kind: report.Skipped, ID: id, Action: plan.Restart, Err: errors.New("needs x, which was failed")},
		{Time: at, Kind: report.Cut, ID: id, Action: plan.Restart, Err: errors.New("stopped by a signal: interrupt"), Took: 30 * time.Second},
		{Time: at, Kind: report.Stopping, Text: "nothing more is started, and nothing was under way", Err: errors.New("stopped by a signal: interrupt")},
		{Time: at, Kind: report.Note, Text: "kube-node-1  reset (1.2s)"},
	}
}

// What scripts read: a change of this golden that is no addition needs another
// schema version.
func TestEventsAsJSON(t *testing.T) {
	var errs timeless
	v := view.View{Err: &errs, Log: view.LogJSON, Clean: func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }}
	tellAll(v)
	golden(t, "events.jsonl", errs.Bytes())
}

func TestEventsAsText(t *testing.T) {
	var errs bytes.Buffer
	v := view.View{Err: &errs, Log: view.LogText, Clean: func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }}
	tellAll(v)
	// Lines are counted from the beginning of the run, which is now.
	var lines []string
	for line := range strings.Lines(errs.String()) {
		if at := strings.Index(line, "s  "); at > 0 && strings.HasPrefix(strings.TrimSpace(line), "-") {
			line = "    N.N" + line[at:]
		}
		lines = append(lines, line)
	}
	golden(t, "events.txt", []byte(strings.Join(lines, "")))
}

func tellAll(v view.View) {
	p := v.Progress(plan.Plan{})
	for _, e := range every() {
		p.Event(e)
	}
	p.Close()
	v.Warn("%s is left out: %v", "kube-node-2", errors.New("it said hunter2"))
	v.Ask("Apply this?")
	v.Note("log: /x")
	v.Problems(diag.Problems{{
		Code: "x", Host: "kube-node-1", Summary: "it is wrong", Detail: "very", Fix: "mend it",
		At: &diag.Range{File: "i.hcl", Start: diag.Pos{Line: 3, Column: 2}},
	}, {Severity: diag.Warning, Summary: "it is odd", Fix: "look at it"}})
	v.Error(errors.New("no hunter2"), false)
	v.Error(errors.New("told already"), true)
}

// What was stopped says what is done, what was cut off and what is left.
func TestAStoppedRunSaysWhatIsWhere(t *testing.T) {
	r := report.Report{Took: 90 * time.Second, Stopped: errors.New("stopped by a signal: interrupt")}
	add := func(host, name string, kind report.Kind) {
		r.Outcomes = append(r.Outcomes, report.Outcome{Kind: kind, Change: plan.Change{Item: plan.Item{ID: plan.NewID(host, "unit", name)}}})
	}
	add("m1", "a", report.Done)
	for _, name := range []string{"b", "b1", "b2", "b3", "b4", "b5", "b6"} {
		add("m1", name, report.Cut)
	}
	add("m1", "c", report.Skipped)
	add("m1", "d", report.Skipped)
	add("m2", "a", report.Failed)
	r.Outcomes[len(r.Outcomes)-1].Err = errors.New("m2: no room\nleft on the disk")
	for _, host := range []string{"n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08", "n09", "n10", "n11"} {
		add(host, "a", report.Skipped)
	}
	var out bytes.Buffer
	if err := (view.View{Out: &out}).Report(r); err != nil {
		t.Fatal(err)
	}
	const want = `stopped: of 22 changes 1 are done, 7 were under way and cut off, 1 failed, 13 were left; 1m30s.
  cut off: m1/unit:b: it is not known what became of it
  cut off: m1/unit:b1: it is not known what became of it
  cut off: m1/unit:b2: it is not known what became of it
  cut off: m1/unit:b3: it is not known what became of it
  cut off: m1/unit:b4: it is not known what became of it
  cut off: and 2 more
  left: m1 2, n01 1, n02 1, n03 1, n04 1, n05 1, n06 1, n07 1, n08 1, n09 1, and on 2 more hosts
  failed: m2/unit:a: m2: no room
    left on the disk
  why: stopped by a signal: interrupt
Run it again: it goes on from here.
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// What must not be done now is told with why, and the hosts that were left out.
func TestTheEndTellsWhatWasLeft(t *testing.T) {
	r := report.Report{Took: 90 * time.Second, Away: []string{"m3"}}
	add := func(host, name string, kind report.Kind, err error) {
		r.Outcomes = append(r.Outcomes, report.Outcome{Kind: kind, Err: err, Change: plan.Change{Item: plan.Item{ID: plan.NewID(host, "unit", name)}}})
	}
	show := func() string {
		var out bytes.Buffer
		if err := (view.View{Out: &out}).Report(r); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	const away = "left out: m3 could not be reached, and what it lacks is not known. Run it again when it is back.\n"
	add("m1", "kubelet", report.Done, nil)
	if d := cmp.Diff("done: 1 changes in 1m30s.\n"+away, show()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	add("m1", "etcd", report.Left, errors.New("too few"))
	add("m1", "api", report.Skipped, errors.New("needs etcd"))
	const want = "not all done: of 3 changes 1 are done, 1 must not be done now, and 1 that need them were left; 1m30s.\n" +
		"  left: m1/unit:etcd: too few\n" + away
	if d := cmp.Diff(want, show()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	r.Away = append(r.Away, "n1")
	if got := show(); !strings.Contains(got, "left out: m3, n1 could not be reached, and what they lack is not known. Run it again when they are back.") {
		t.Error(got)
	}
}
