package resource

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/plan"
)

func factOf(contents ...string) Fact {
	f := Fact{Host: "n", Cluster: "prod1", Role: "kube_node", Versions: map[string]string{"runc": "1.3.6", "kubelet": "1.37.2"},
		Now: func() time.Time { return time.Date(2026, 11, 29, 13, 0, 0, 5, time.FixedZone("", 3600)) }}
	for _, c := range contents {
		f.Own = append(f.Own, File{Host: "n", Path: "/etc/" + c[:1], Content: []byte(c)}.Item())
	}
	return f
}

// seenFact is a host with a fact's file.
func seenFact(text string, mode fs.FileMode) Seen {
	snap := facts.Snapshot{Files: map[string]facts.File{}, Texts: map[string]string{FactPath: text}}
	snap.Files[FactPath] = facts.File{Mode: 0o777 & 0o644, Owner: "root:root", SHA256: "sha256:x"}
	if mode != 0 {
		f := snap.Files[FactPath]
		f.Mode = mode
		snap.Files[FactPath] = f
	}
	return Seen{Hosts: map[string]facts.Snapshot{"n": snap}}
}

func written(t *testing.T, f Fact) string {
	t.Helper()
	files, err := f.Files(plan.Change{})
	if err != nil || len(files) != 1 || files[0].Path != FactPath || files[0].Mode != 0o644 {
		t.Fatalf("%+v, %v", files, err)
	}
	return string(files[0].Content)
}

func TestFactIsWhatIsWanted(t *testing.T) {
	f := factOf("a1", "b1")
	text := written(t, f)
	state := f.Item().Want["state"]
	want := `{
  "drover": {
    "cluster": "prod1",
    "role": "kube_node",
    "versions": {
      "kubelet": "1.37.2",
      "runc": "1.3.6"
    },
    "state": "` + state + `",
    "changed": "2026-11-29T12:00:00Z"
  }
}
`
	if d := cmp.Diff(want, text); d != "" || !strings.HasPrefix(state, "sha256:") {
		t.Errorf("-want +got:\n%s", d)
	}
	have, err := f.Observe(t.Context(), seenFact(strings.TrimSuffix(text, "\n"), 0)) // as a look tells it
	if d := cmp.Diff(f.Item().Want, have); d != "" || err != nil {
		t.Errorf("%v, -want +seen:\n%s", err, d)
	}
	if d := cmp.Diff([]plan.ID{"n/file:/etc/a", "n/file:/etc/b"}, f.Item().Tells); d != "" {
		t.Error(d)
	}
}

// Its state is that of what is wanted, in whatever order, and of nothing else.
func TestFactNamesTheState(t *testing.T) {
	state := func(f Fact) string { return f.Item().Want["state"] }
	if state(factOf("a1", "b1")) != state(factOf("b1", "a1")) {
		t.Error("the order counts")
	}
	if state(factOf("a1", "b1")) == state(factOf("a1", "b2")) || state(factOf("a1")) == state(factOf("a1", "b1")) {
		t.Error("what is wanted does not count")
	}
	// Nor does the host's name: two that are alike say the same.
	other := factOf("a1")
	other.Own[0].ID = FileID("m", "/etc/a")
	if state(other) != state(factOf("a1")) {
		t.Error("the host's name counts")
	}
}

// What somebody else has made of the file is no fact.
func TestFactThatSomebodyElseWrote(t *testing.T) {
	f := factOf("a1")
	text := written(t, f)
	for name, x := range map[string]Seen{
		"no JSON":            seenFact("x", 0),
		"more":               seenFact(strings.Replace(text, `"role"`, `"more": 1, "role"`, 1), 0),
		"another form":       seenFact(strings.ReplaceAll(text, " ", ""), 0),
		"no time":            seenFact(strings.Replace(text, "2026-11-29T12:00:00Z", "soon", 1), 0),
		"another mode":       seenFact(text, 0o600),
		"a change cut off":   seenFact(text, changingMode),
		"another state":      seenFact(written(t, factOf("a2")), 0),
		"of another cluster": seenFact(strings.Replace(text, "prod1", "prod2", 1), 0),
	} {
		have, err := f.Observe(t.Context(), x)
		if err != nil || have.Equal(f.Item().Want) {
			t.Errorf("%s: %v, %v", name, have, err)
		}
	}
	have, err := f.Observe(t.Context(), Seen{Hosts: map[string]facts.Snapshot{"n": {}}})
	if have != nil || err != nil {
		t.Errorf("nothing is there: %v, %v", have, err)
	}
}

// It moves with what it tells of, although what it says stays the same.
func TestFactMovesWithWhatItTellsOf(t *testing.T) {
	f := factOf("a1")
	file := File{Host: "n", Path: "/etc/a", Content: []byte("a1")}.Item()
	for _, x := range []struct {
		file plan.State
		want plan.Action
	}{{file.Want, plan.NoOp}, {nil, plan.Update}} {
		p, err := plan.Diff("c", []plan.Item{f.Item(), file}, map[plan.ID]plan.State{file.ID: x.file, f.Item().ID: f.Item().Want})
		if err != nil || p.Changes[1].ID != f.Item().ID || p.Changes[1].Action != x.want {
			t.Errorf("%+v, %v", p.Changes, err)
		}
	}
}
