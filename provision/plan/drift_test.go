package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Each difference is told, in words, and what makes no difference is not.
func TestDrift(t *testing.T) {
	file, unit, gate := NewID("h", "file", "/x"), NewID("h", "unit", "u"), NewID("cluster", "ready", "api")
	// diff is a plan of the items with what was seen of them.
	type world struct {
		items    []Item
		have     map[ID]State
		standing string
		uid      string
	}
	begin := func() world {
		return world{
			items: []Item{
				{ID: file, Want: State{"content": "sha256:a", "mode": "0644"}, Content: "1"},
				{ID: unit, Triggers: []ID{file}, Want: State{"active": "active"}},
				{ID: gate, Want: State{"met": "yes"}, Condition: true},
			},
			have:     map[ID]State{file: {"content": "sha256:b", "mode": "0644"}, unit: {"active": "active"}, gate: {"met": "refused by port 1234"}},
			standing: "existing", uid: "1",
		}
	}
	plan := func(w world) Plan {
		p, err := Diff("c", w.items, w.have)
		if err != nil {
			t.Fatal(err)
		}
		p.Standing, p.UID = w.standing, w.uid
		return p
	}
	for name, tc := range map[string]struct {
		change func(w *world)
		want   []string
	}{
		"nothing":                 {func(*world) {}, nil},
		"a condition's words":     {func(w *world) { w.have[gate] = State{"met": "refused by port 1235"} }, nil},
		"a condition that is met": {func(w *world) { w.have[gate] = State{"met": "yes"} }, []string{"cluster/ready:api: was to be updated, and is as wanted now"}},
		"done by another": {func(w *world) { w.have[file] = w.items[0].Want }, []string{
			"h/file:/x: was to be updated, and is as wanted now", "h/unit:u: was to be restarted, and is as wanted now"}},
		"gone meanwhile": {func(w *world) { w.have[file] = nil }, []string{
			"h/file:/x: was to be updated, and is to be created now; was changed meanwhile: it was there, and is absent"}},
		"another content seen": {func(w *world) { w.have[file] = State{"content": "sha256:c", "mode": ""} }, []string{
			"h/file:/x: was changed meanwhile: content was sha256:b, and is sha256:c, mode was 0644, and is empty"}},
		"another content wanted": {func(w *world) { w.items[0].Want = State{"content": "sha256:a", "owner": "ops"} }, []string{
			"h/file:/x: is wanted otherwise: mode was 0644, and is not there, owner is ops, and was not there"}},
		"what the state does not tell": {func(w *world) { w.items[0].Content = "2" }, []string{"h/file:/x: is wanted with another content"}},
		"no longer in the inventory": {func(w *world) { w.items = w.items[2:] }, []string{
			"h/file:/x: was to be updated, and is not asked for now: the inventory has it no longer, or its host is away",
			"h/unit:u: was to be restarted, and is not asked for now: the inventory has it no longer, or its host is away"}},
		"new in the inventory": {func(w *world) {
			w.items = append(w.items, Item{ID: "h/file:/y", Want: State{}})
			w.have["h/file:/y"] = nil
		}, []string{"h/file:/y: was not asked for, and is to be created now: absent"}},
		"a restart that is now an update": {func(w *world) { w.have[unit] = State{"active": "a\nb"} }, []string{
			`h/unit:u: was to be restarted, and is to be updated now; was changed meanwhile: active was active, and is "a\nb"`}},
		"another cluster": {func(w *world) { w.uid = "2" }, []string{"the cluster: was 1, and is 2 now: another of the same name"}},
		"begun meanwhile": {func(w *world) { w.standing, w.uid = "beginning", "2" }, []string{"the cluster: was existing, and is beginning now"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin()
			saved := plan(w)
			w = begin()
			tc.change(&w)
			got, err := Drift(saved, plan(w))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestDriftOfWhatWasAsWanted(t *testing.T) {
	item := Item{ID: "h/file:/x", Want: State{}}
	p := func(have State) Plan {
		p, err := Diff("c", []Item{item}, map[ID]State{item.ID: have})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	got, err := Drift(p(State{}), p(State{"mode": "0600"}))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"h/file:/x: was as wanted, and is to be updated now: mode is 0600, not wanted"}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// A plan is the same as itself, also through its file and with bytes in it that
// are no text; and it is not the same once anything pending differs.
func TestDriftProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPlan(t)
		for i := range p.Changes {
			if b := p.Changes[i].Before; len(b) > 0 && rapid.Bool().Draw(t, "no text") {
				p.Changes[i].Before = State{"link": "a\xffb"}
			}
		}
		saved, err := asSaved(p)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := Drift(saved, p); err != nil || len(d) > 0 {
			t.Fatalf("%v %v", d, err)
		}
		pending := p.Pending()
		if len(pending) == 0 {
			return
		}
		id := rapid.SampledFrom(pending).Draw(t, "one").ID
		for i := range saved.Changes {
			c := &saved.Changes[i]
			if c.ID != id {
				continue
			}
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				c.Want = State{"no": "such"}
			case 1:
				c.Content += "x"
			case 2:
				c.Action = NoOp
			case 3:
				c.Before, c.Condition = State{"no": "such"}, false
				p.Changes[i].Condition = false
			}
		}
		if d, err := Drift(saved, p); err != nil || len(d) != 1 {
			t.Fatalf("%v %v", d, err)
		}
	})
}
