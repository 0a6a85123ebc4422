package history

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/droverctl/drover/provision/host"
)

// says is a master of which only the answer matters.
type says struct {
	host.Result
	err error
}

func (says) Name() string { return "m1" }

func (s says) Probe(context.Context, host.Cmd) (host.Result, error) { return s.Result, s.err }

// "Could not look" is never "has none".
func TestAnAnswerThatIsNotWholeIsAnError(t *testing.T) {
	lost := errors.New("the connection was cut")
	for name, s := range map[string]says{
		"nothing":       {},
		"no beginning":  {Result: host.Result{Stdout: []byte("{\"run\":\"a\"}\n@@drover-history@@ end\n")}},
		"no end":        {Result: host.Result{Stdout: []byte("@@drover-history@@ begin\n{\"run\":\"a\"}\n")}},
		"no end's line": {Result: host.Result{Stdout: []byte("@@drover-history@@ begin\n@@drover-history@@ end")}},
		"an exit code":  {Result: host.Result{Stdout: []byte("@@drover-history@@ begin\n@@drover-history@@ end\n"), Stderr: []byte("cat: Input/output error\n"), Exit: 74}},
		"silence":       {err: lost},
	} {
		runs, err := Read(t.Context(), s)
		if err == nil || runs != nil {
			t.Errorf("%s: %v, %v", name, runs, err)
		}
		if s.err != nil && !errors.Is(err, s.err) || s.Exit != 0 && !strings.Contains(err.Error(), "m1: reading its history: exit code 74: cat: Input/output error") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Masters miss what was told while they were away. Of a run that any of them knows
// the end of, that is how it ended.
func TestMastersThatDisagree(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	run := func(id string, epoch uint64, minute int, o Outcome) Run {
		r := Run{SchemaVersion: 1, Run: id, Epoch: epoch, Began: at.Add(time.Duration(minute) * time.Minute), Outcome: o}
		if o != Begun {
			r.Ended = r.Began.Add(time.Second)
		}
		return r
	}
	one := []Run{run("a", 1, 0, Begun), run("a", 1, 0, Done), run("c", 3, 2, Begun)}
	two := []Run{run("b", 2, 1, Begun), run("b", 2, 1, Failed), run("c", 3, 2, Begun), run("c", 3, 2, Stopped), run("d", 4, 3, Begun)}
	three := []Run{run("b", 2, 1, Begun)} // was away for the rest
	want := []Run{run("a", 1, 0, Done), run("b", 2, 1, Failed), run("c", 3, 2, Stopped), run("d", 4, 3, Begun)}
	for _, all := range [][][]Run{{one, two, three}, {three, two, one}, {two, nil, three, one}} {
		if d := cmp.Diff(want, Merge(all...)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	if got := Merge(); len(got) != 0 {
		t.Errorf("of nobody: %+v", got)
	}
}

// Clocks of admin hosts may differ: the lock's epochs tell what came first.
func TestEpochsOrderRuns(t *testing.T) {
	early, late := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	got := Merge([]Run{{Run: "b", Epoch: 2, Began: early}, {Run: "a", Epoch: 1, Began: late}}, []Run{{Run: "z", Epoch: 2, Began: late}, {Run: "c", Epoch: 2, Began: early}})
	if ids(got) != "a b c z" {
		t.Errorf("%s", ids(got))
	}
}

// A machine that was removed as it was is remembered until it is reset.
func TestUnreset(t *testing.T) {
	run := func(gone ...Machine) Run { return Run{Gone: gone} }
	old, other, nameless := Machine{Name: "n1", ID: "a"}, Machine{Name: "n1", ID: "b"}, Machine{Name: "n2"}
	reset := func(m Machine) Machine { m.Reset = true; return m }
	for name, c := range map[string]struct {
		runs []Run
		want []Machine
	}{
		"nothing":                         {[]Run{run()}, nil},
		"removed":                         {[]Run{run(old), run()}, []Machine{old}},
		"removed and reset":               {[]Run{run(old), run(reset(old))}, nil},
		"removed, and its heir was reset": {[]Run{run(old), run(reset(other))}, []Machine{old}},
		"removed twice":                   {[]Run{run(old), run(other, old)}, []Machine{other, old}},
		"reset and removed":               {[]Run{run(reset(old)), run(old)}, []Machine{old}},
		"known by its name":               {[]Run{run(nameless), run(reset(other))}, []Machine{nameless}},
	} {
		var got []Machine
		for _, r := range Unreset(c.runs) {
			got = append(got, r.Machine)
		}
		if d := cmp.Diff(c.want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// What a run knew of who was to leave is of use until a run has ended that.
func TestUnfinished(t *testing.T) {
	run := func(o Outcome, leaving ...Machine) Run { return Run{Outcome: o, Leaving: leaving} }
	one, moved, other := Machine{Name: "n1", ID: "a"}, Machine{Name: "n1", ID: "b"}, Machine{Name: "n2", ID: "c"}
	for name, c := range map[string]struct {
		runs []Run
		want string
	}{
		"nothing":                {[]Run{run(Done)}, ""},
		"another's":              {[]Run{run(Begun, other)}, ""},
		"killed":                 {[]Run{run(Begun, other, one), run(Done, other)}, "a"},
		"failed":                 {[]Run{run(Failed, one), run(Done)}, "a"},
		"stopped":                {[]Run{run(Stopped, one)}, "a"},
		"done":                   {[]Run{run(Begun, one), run(Done, one)}, ""},
		"done, and begun anew":   {[]Run{run(Done, one), run(Begun, moved)}, "b"},
		"twice, on two machines": {[]Run{run(Begun, one), run(Failed, moved)}, "b"},
	} {
		m, unfinished := Unfinished(c.runs, "n1")
		if unfinished != (c.want != "") || unfinished && m.ID != c.want {
			t.Errorf("%s: %+v, %t", name, m, unfinished)
		}
	}
}
