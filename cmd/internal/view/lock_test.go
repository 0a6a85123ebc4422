package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
)

// hostile is what somebody may write who wants more than to be read.
const hostile = "\x1b[2J\x1b]0;owned\a\r\nmallory\t\x9b1m"

func entry(epoch uint64, left time.Duration) provision.LockEntry {
	e := provision.LockEntry{Epoch: epoch, Left: left, Age: 90 * time.Second}
	e.Run, e.Owner, e.PID, e.Reason, e.Since = "r7", "alice@admin", 4711, "drover apply", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return e
}

func lockText(t *testing.T, s provision.LockState) string {
	t.Helper()
	var out bytes.Buffer
	if err := (view.View{Out: &out}).Lock(s, view.Text); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func stateOf(held bool, top provision.LockEntry, masters map[string]provision.LockEntry) provision.LockState {
	s := provision.LockState{Cluster: "one"}
	s.Held, s.Entry, s.Masters = held, top, masters
	return s
}

// Who reads it has to know which of the ways a lock can be it is.
func TestLock(t *testing.T) {
	given, ended := entry(7, 0), entry(7, 0)
	given.Released = true
	held := entry(7, 80*time.Second)
	for name, tc := range map[string]struct {
		state provision.LockState
		want  string
	}{
		"never": {
			stateOf(false, provision.LockEntry{}, map[string]provision.LockEntry{"m1": {}}),
			"free: nobody has held it yet\n",
		},
		"given back": {
			stateOf(false, given, map[string]provision.LockEntry{"m1": given}),
			"free: last held by alice@admin, for \"drover apply\" (epoch 7)\n",
		},
		"ended": {
			stateOf(false, ended, map[string]provision.LockEntry{"m1": ended}),
			"free: the lease of alice@admin, for \"drover apply\", has ended (epoch 7): that run did not give it back\n",
		},
		"held": {
			stateOf(true, held, map[string]provision.LockEntry{"m1": held, "m2": held, "m3": {}}),
			`held: alice@admin (pid 4711) runs "drover apply", for 1m30s; its lease ends in 1m20s unless it is renewed (epoch 7)
  m1  epoch 7, good for 1m20s
  m2  epoch 7, good for 1m20s
  m3  no claim
`,
		},
		"claimed": {
			stateOf(false, held, map[string]provision.LockEntry{"m1": held, "m2": given, "m3": ended}),
			`claimed, but not on more than half of the masters: alice@admin (pid 4711) runs "drover apply", for 1m30s; its lease ends in 1m20s unless it is renewed (epoch 7)
  m1  epoch 7, good for 1m20s
  m2  epoch 7, given back
  m3  epoch 7, its lease has ended
`,
		},
		"silent": {stateOf(false, provision.LockEntry{}, nil), ""},
	} {
		if d := cmp.Diff(tc.want, lockText(t, tc.state)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestLockJSON(t *testing.T) {
	held := entry(7, 80*time.Second)
	s := stateOf(true, held, map[string]provision.LockEntry{"m2": held, "m1": {}})
	s.Away = map[string]error{"m3": errors.New("no route")}
	var out bytes.Buffer
	if err := (view.View{Out: &out}).Lock(s, view.JSON); err != nil {
		t.Fatal(err)
	}
	claim := `{"run":"r7","epoch":7,"owner":"alice@admin","pid":4711,"reason":"drover apply","since":"2026-01-02T03:04:05Z","age_s":90,"lease_left_s":80}`
	want := `{"schema_version":1,"cluster":"one","held":true,"holder":` + claim + `,"masters":[{"name":"m1"},{"name":"m2","claim":` + claim + `},{"name":"m3","away":"no route"}]}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, out.Bytes()); err != nil || compact.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, compact.String(), want)
	}
}

func runs() []provision.Run {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	one := provision.Run{SchemaVersion: 1, Run: "a", Epoch: 1, Owner: "alice@admin", Command: "drover apply", Began: at, Ended: at.Add(61 * time.Second), Outcome: "failed", Changes: map[string]int{"done": 3, "failed": 1}}
	two := provision.Run{SchemaVersion: 1, Run: "b", Epoch: 2, Owner: "bob@laptop", Command: "drover reset kube-node-1", Began: at.Add(time.Hour), Outcome: "begun"}
	return []provision.Run{one, two}
}

func history(t *testing.T, runs []provision.Run, running string, f view.Format) string {
	t.Helper()
	var out bytes.Buffer
	if err := (view.View{Out: &out}).History(runs, running, f); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHistory(t *testing.T) {
	const first = "2026-01-02 03:04:05  alice@admin  drover apply              failed in 1m1s: 3 done, 1 failed\n"
	for running, want := range map[string]string{
		"":  first + "2026-01-02 04:04:05  bob@laptop   drover reset kube-node-1  begun, and never ended: it was killed, or lost the masters\n",
		"b": first + "2026-01-02 04:04:05  bob@laptop   drover reset kube-node-1  under way\n",
	} {
		if d := cmp.Diff(want, history(t, runs(), running, view.Text)); d != "" {
			t.Errorf("running %q (-want +got):\n%s", running, d)
		}
	}
	if got := history(t, nil, "", view.Text); got != "no run has changed anything yet.\n" {
		t.Errorf("of none: %q", got)
	}
	var doc struct {
		SchemaVersion int `json:"schema_version"`
		Runs          []map[string]any
	}
	text := history(t, runs(), "", view.JSON)
	if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.SchemaVersion != 1 || len(doc.Runs) != 2 || doc.Runs[0]["run"] != "a" || doc.Runs[1]["ended"] != nil {
		t.Errorf("%v:\n%s", err, text)
	}
	if got := history(t, nil, "", view.JSON); !strings.Contains(got, `"runs": []`) {
		t.Errorf("of none: %s", got)
	}
}

// What masters keep somebody else may have written: it steers no terminal, and is a
// line.
func TestWhatMastersKeepSteersNoTerminal(t *testing.T) {
	bad := entry(7, time.Minute)
	bad.Owner, bad.Reason = "eve"+hostile, "apply"+hostile
	free, given := bad, bad
	free.Left, given.Left, given.Released = 0, 0, true
	for name, s := range map[string]provision.LockState{
		"held":  stateOf(true, bad, map[string]provision.LockEntry{"m1": bad}),
		"ended": stateOf(false, free, map[string]provision.LockEntry{"m1": free}),
		"given": stateOf(false, given, map[string]provision.LockEntry{"m1": given}),
	} {
		tame(t, name, lockText(t, s), 1)
	}
	r := runs()
	r[0].Owner, r[0].Command, r[0].Outcome = "eve"+hostile, "apply"+hostile, "done"+hostile
	r[0].Changes = map[string]int{"done" + hostile: 1}
	tame(t, "history", history(t, r, "", view.Text), 2)
}

func tame(t *testing.T, name, text string, lines int) {
	t.Helper()
	if strings.ContainsAny(text, "\x1b\a\r\t\u009b") || strings.Contains(text, "\x9b") || strings.Count(text, "\n") != lines || !strings.Contains(text, "mallory") {
		t.Errorf("%s: %q", name, text)
	}
}
