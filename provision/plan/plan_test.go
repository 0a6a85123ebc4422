package plan

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDiff(t *testing.T) {
	want := State{"content": "sha256:" + strings.Repeat("a", 64), "mode": "0644"}
	for _, tc := range []struct {
		name   string
		item   Item
		have   State
		action Action
		reason string
	}{
		{"as wanted", Item{Want: want}, State{"content": "sha256:" + strings.Repeat("a", 64), "mode": "0644"}, NoOp, ""},
		{"absent", Item{Want: want}, nil, Create, "absent"},
		{"not to be seen yet", Item{Want: want}, Unknown(), Create, "cannot be seen yet"},
		{"another content", Item{Want: want}, State{"content": "sha256:" + strings.Repeat("b", 64), "mode": "0644"}, Update, "content is sha256:bbbbbbbbbbbb, not sha256:aaaaaaaaaaaa"},
		{"two things", Item{Want: want}, State{"content": "", "owner": "ops"}, Update, "content is empty, not sha256:aaaaaaaaaaaa; mode is missing; owner is ops, not wanted"},
		{"wanted absent", Item{}, State{"mode": "0644"}, Delete, "no longer wanted"},
		{"absent as wanted", Item{}, nil, NoOp, ""},
		{"empty is not absent", Item{Want: State{}}, nil, Create, "absent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.item.ID = NewID("h", "file", "/x")
			p, err := Diff("c", []Item{tc.item}, map[ID]State{tc.item.ID: tc.have})
			if err != nil {
				t.Fatal(err)
			}
			if c := p.Changes[0]; c.Action != tc.action || c.Reason != tc.reason {
				t.Errorf("%s %q, want %s %q", c.Action, c.Reason, tc.action, tc.reason)
			}
		})
	}
}

func TestAChangedInputRestarts(t *testing.T) {
	file, other, unit := NewID("h", "file", "/x"), NewID("h", "file", "/y"), NewID("h", "unit", "u")
	items := []Item{
		{ID: unit, Needs: []ID{other}, Triggers: []ID{file}, Want: State{"active": "active"}},
		{ID: file, Want: State{"content": "1"}},
		{ID: other, Want: State{"content": "1"}},
	}
	for _, tc := range []struct {
		changed ID
		action  Action
		reason  string
	}{{file, Restart, "reads file:/x"}, {other, NoOp, ""}} {
		have := map[ID]State{unit: {"active": "active"}, file: {"content": "1"}, other: {"content": "1"}}
		have[tc.changed] = State{"content": "2"}
		p, err := Diff("c", items, have)
		if err != nil {
			t.Fatal(err)
		}
		last := p.Changes[len(p.Changes)-1]
		if last.ID != unit || last.Action != tc.action || last.Reason != tc.reason {
			t.Errorf("%s changed: %s %s %q, want %s %q", tc.changed, last.ID, last.Action, last.Reason, tc.action, tc.reason)
		}
	}
}

func TestDiffRefusesMistakes(t *testing.T) {
	a, b := NewID("h", "file", "a"), NewID("h", "file", "b")
	for _, tc := range []struct {
		items []Item
		err   string
	}{
		{[]Item{{ID: a}, {ID: a}}, "plan: h/file:a is wanted twice"},
		{[]Item{{ID: a, Needs: []ID{b}}}, "plan: h/file:a needs h/file:b, which is not wanted"},
		{[]Item{{ID: a, Needs: []ID{b}}, {ID: b, Triggers: []ID{a}}}, "plan: h/file:a needs itself: [h/file:a h/file:b h/file:a]"},
		{[]Item{{ID: a}}, "plan: h/file:a was not observed"},
	} {
		if _, err := Diff("c", tc.items, nil); err == nil || err.Error() != tc.err {
			t.Errorf("%v\nwant %s", err, tc.err)
		}
	}
}

// Whatever is wanted and seen: needs come first, nothing is lost, and once all is
// as wanted nothing is pending.
func TestDiffProperties(t *testing.T) {
	state := rapid.OneOf(rapid.Just(State(nil)), rapid.Just(Unknown()),
		rapid.Map(rapid.MapOf(rapid.StringMatching(`[a-c]`), rapid.StringMatching(`[01]`)), func(m map[string]string) State { return m }))
	rapid.Check(t, func(t *rapid.T) {
		var items []Item
		have := map[ID]State{}
		for n := range rapid.IntRange(0, 20).Draw(t, "items") {
			i := Item{ID: NewID(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "host"), "thing", fmt.Sprint(n))}
			if w := state.Draw(t, "want"); !w.IsUnknown() {
				i.Want = w
			}
			for _, earlier := range items {
				switch rapid.IntRange(0, 5).Draw(t, "need") {
				case 0:
					i.Needs = append(i.Needs, earlier.ID)
				case 1:
					i.Triggers = append(i.Triggers, earlier.ID)
				}
			}
			items = append(items, i)
			have[i.ID] = state.Draw(t, "have")
		}
		shuffled := rapid.Permutation(items).Draw(t, "order")
		p, err := Diff("c", shuffled, have)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Changes) != len(items) {
			t.Fatalf("%d changes of %d items", len(p.Changes), len(items))
		}
		done := map[ID]bool{}
		after := map[ID]State{}
		for _, c := range p.Changes {
			for _, need := range append(c.Needs, c.Triggers...) {
				if !done[need] {
					t.Fatalf("%s comes before %s, which it needs", c.ID, need)
				}
			}
			done[c.ID] = true
			after[c.ID] = c.Want
		}
		again, err := Diff("c", shuffled, after)
		if err != nil {
			t.Fatal(err)
		}
		if pending := again.Pending(); len(pending) > 0 {
			t.Fatalf("all is as wanted, and %s is to be done: %s", pending[0].ID, pending[0].Reason)
		}
	})
}
