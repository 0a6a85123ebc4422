package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/droverctl/drover/inventory/diag"
)

// anyPlan draws a plan of all that a plan can hold.
func anyPlan(t *rapid.T) Plan {
	word := rapid.String()
	name := rapid.StringMatching(`[a-zä.:/ -]{1,8}`)
	aState := rapid.OneOf(rapid.Just(State(nil)), rapid.Just(State{}), rapid.Just(Unknown()),
		rapid.Map(rapid.MapOf(word, word), func(m map[string]string) State { return m }))
	anID := rapid.Custom(func(t *rapid.T) ID {
		return NewID(rapid.StringMatching(`[a-z0-9-]{1,8}`).Draw(t, "host"), rapid.StringMatching(`[a-z]{1,4}`).Draw(t, "kind"), name.Draw(t, "name"))
	})
	some := func(label string) []ID {
		if list := rapid.SliceOfN(anID, 0, 3).Draw(t, label); len(list) > 0 {
			return list
		}
		return nil
	}
	p := Plan{
		SchemaVersion: SchemaVersion, Cluster: word.Draw(t, "cluster"), Changes: []Change{},
		Standing: rapid.SampledFrom([]string{"new", "beginning", "existing"}).Draw(t, "standing"), UID: word.Draw(t, "uid"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "by hand") {
		words := func(label string) []string { return rapid.SliceOfN(word, 0, 3).Draw(t, label) }
		p.ByHand = append(p.ByHand, ByHand{
			BigIP: word.Draw(t, "bigip"), Up: words("up"), Missing: words("missing"), Enter: words("enter"),
			WaitSeconds: rapid.Int64Range(0, 86400).Draw(t, "wait"),
		})
	}
	for n := range rapid.IntRange(0, 5).Draw(t, "changes") {
		c := Change{
			Item: Item{
				ID:    NewID(fmt.Sprint("h", n), "file", name.Draw(t, "name")), // each once
				Needs: some("needs"), Triggers: some("triggers"), Serial: word.Draw(t, "serial"), Want: aState.Draw(t, "want"),
				Content: word.Draw(t, "content"), Condition: rapid.Bool().Draw(t, "condition"),
			},
			Action: rapid.SampledFrom([]Action{NoOp, Create, Update, Restart, Delete}).Draw(t, "action"),
			Reason: word.Draw(t, "reason"), Before: aState.Draw(t, "before"),
		}
		if rapid.Bool().Draw(t, "somewhere") {
			c.At = &diag.Range{File: word.Draw(t, "file"), Start: diag.Pos{Line: 1, Column: n}, End: diag.Pos{Line: rapid.Int().Draw(t, "line")}}
		}
		p.Changes = append(p.Changes, c)
	}
	return p
}

// What is saved is read again as it was, down to absent and empty.
func TestSavedAndReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPlan(t)
		text, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := cmp.Diff(p, again); d != "" {
			t.Errorf("-saved +read:\n%s\n%s", d, text)
		}
	})
}

// small is a plan that is well, as it is written.
const small = `{"schema_version": 1, "cluster": "c", "standing": "new", "changes": [
  {"id": "h/file:/x", "want": {"mode": "0644"}, "action": "create", "before": null},
  {"id": "h/unit:u", "needs": ["h/file:/x"], "want": {"active": "active"}, "action": "update", "before": {"active": "failed"}}
]}`

func TestDecodeRefuses(t *testing.T) {
	if _, err := Decode([]byte(small)); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ from, to, err string }{
		"cut":                      {`]}`, ``, "line 4: unexpected end of JSON input"},
		"no JSON":                  {`"standing"`, "\nstanding", "line 2: invalid character 's' looking for beginning of object key string"},
		"two documents":            {`]}`, `]}{}`, "line 4: invalid character '{' after top-level value"},
		"another version":          {`1,`, `2, "more": true,`, "schema_version is 2: this drover reads 1"},
		"no version":               {`"schema_version": 1, `, ``, "it has no schema_version that is a number: is it a plan?"},
		"a version in words":       {`: 1,`, `: "1",`, "it has no schema_version that is a number: is it a plan?"},
		"no object":                {small, `[1]`, "it has no schema_version that is a number: is it a plan?"},
		"null":                     {small, `null`, "it has no schema_version that is a number: is it a plan?"},
		"an unknown field":         {`"cluster"`, `"also": 1, "cluster"`, "also: there is no such field"},
		"a field in other letters": {`"cluster"`, `"Cluster"`, "Cluster: there is no such field"},
		"a field twice":            {`"cluster"`, `"cluster": "d", "cluster"`, "cluster: is there twice"},
		"an unknown field within":  {`"want": {"active"`, `"wants": {"active"`, "changes[1].wants: h/unit:u: there is no such field"},
		"no cluster":               {`"cluster": "c", `, ``, "cluster is missing"},
		"no standing":              {`"standing": "new", `, ``, "standing is missing"},
		"no changes":               {small, `{"schema_version": 1, "cluster": "c", "standing": "new"}`, "changes is missing"},
		"changes that are null":    {small, `{"schema_version": 1, "cluster": "c", "standing": "new", "changes": null}`, "changes: want a list"},
		"a change that is a text":  {`"changes": [`, `"changes": ["x",`, "changes[0]: want an object"},
		"no want":                  {`"want": {"mode": "0644"}, `, ``, "changes[0]: h/file:/x: want is missing"},
		"no before":                {`, "before": null`, ``, "changes[0]: h/file:/x: before is missing"},
		"no action":                {`"action": "update", `, ``, "changes[1]: h/unit:u: action is missing"},
		"no id":                    {`"id": "h/unit:u", `, ``, "changes[1]: id is missing"},
		"an unknown action":        {`"update"`, `"explode"`, `changes[1].action: h/unit:u: "explode" is no action: want one of ["no-op" "create" "update" "restart" "delete"]`},
		"an ID twice":              {`"h/unit:u"`, `"h/file:/x"`, "changes[1].id: h/file:/x is there twice, first in changes[0]"},
		"an ID of no host":         {`"h/unit:u"`, `"/unit:u"`, `changes[1].id: "/unit:u" is no ID: want one like node/file:/etc/hosts`},
		"an ID of no kind":         {`"h/unit:u"`, `"h/unit"`, `changes[1].id: "h/unit" is no ID: want one like node/file:/etc/hosts`},
		"an ID for a terminal":     {`"h/unit:u"`, `"h/unit:\u001b[2J"`, `changes[1].id: "h/unit:\x1b[2J" is no ID: want one like node/file:/etc/hosts`},
		"a need that is no ID":     {`["h/file:/x"]`, `["x"]`, `changes[1].needs[0]: h/unit:u: "x" is no ID: want one like node/file:/etc/hosts`},
		"a state of numbers":       {`"0644"`, `644`, "changes[0].want.mode: h/file:/x: want a text"},
		"a word that is null":      {`"0644"`, `null`, "changes[0].want.mode: h/file:/x: want a text"},
		"a word twice":             {`{"mode"`, `{"mode": "1", "mode"`, "changes[0].want.mode: h/file:/x: is there twice"},
		"a state that is a list":   {`{"mode": "0644"}`, `[]`, "changes[0].want: h/file:/x: want an object"},
		"a condition in words":     {`"before": null`, `"before": null, "condition": "yes"`, "changes[0].condition: h/file:/x: want true or false"},
		"half a place":             {`"before": null`, `"before": null, "at": {"File": "a.hcl", "Start": {"Line": 1}}`, "changes[0].at.Start: h/file:/x: Column is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(small, tc.from, tc.to, 1)
			if text == small {
				t.Fatal("nothing was replaced")
			}
			if p, err := Decode([]byte(text)); err == nil || err.Error() != tc.err {
				t.Errorf("%v\nwant %s\n%+v", err, tc.err, p)
			}
		})
	}
}

// Whatever is read is a plan that reads the same once it is written, and that
// equals itself.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(`{"schema_version":1,"cluster":"c","standing":"existing","uid":"\ud800","changes":[{"id":"a/b:c","want":null,"before":{},"action":"delete","needs":[],"at":{"File":"","Start":{"Line":0,"Column":0},"End":{"Line":1,"Column":2}}}]}`))
	f.Add([]byte(`{"schema_version":1,"schema_version":1e0,"changes":{"":null}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := Decode(content)
		if err != nil {
			return
		}
		text, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := cmp.Diff(p, again); d != "" {
			t.Errorf("-read +read again:\n%s", d)
		}
		if d, err := Drift(p, again); err != nil || len(d) > 0 {
			t.Errorf("%v %v", d, err)
		}
	})
}
