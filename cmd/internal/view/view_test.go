package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

func show(t *testing.T, path string, f view.Format) []byte {
	t.Helper()
	c, problems := inventory.Load(path)
	if c == nil {
		t.Fatal(problems)
	}
	var out bytes.Buffer
	if err := (view.View{Out: &out}).Inventory(c, f); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What is shown is an inventory that means the same. full.hcl has every
// attribute there is, so that none is forgotten here.
func TestShownIsAnInventory(t *testing.T) {
	for _, path := range []string{"../../../inventory/testdata/full.hcl", "../../../examples/production", "../../../examples/lab/inventory.hcl"} {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		text := show(t, path, view.Text)
		again := filepath.Join(t.TempDir(), "shown.hcl")
		if err := os.WriteFile(again, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(show(t, path, view.JSON)), string(show(t, again, view.JSON))); d != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", path, d, text)
		}
		if d := cmp.Diff(string(text), string(show(t, again, view.Text))); d != "" {
			t.Errorf("%s: shown again (-want +got):\n%s", path, d)
		}
	}
}

func TestJSON(t *testing.T) {
	var doc struct {
		SchemaVersion int `json:"schema_version"`
		Cluster       map[string]any
	}
	text := show(t, "../../../inventory/testdata/full.hcl", view.JSON)
	if err := json.Unmarshal(text, &doc); err != nil || doc.SchemaVersion != 1 || doc.Cluster["name"] != "prod1" {
		t.Errorf("%v: %+v", err, doc)
	}
	if bytes.Contains(text, []byte("correct horse")) {
		t.Error("a secret is shown")
	}
	for range 20 {
		if !bytes.Equal(text, show(t, "../../../inventory/testdata/full.hcl", view.JSON)) {
			t.Fatal("not the same twice")
		}
	}
}

// What kept a host from being asked is told with the problems that come of it.
func TestErrorTellsWhatWasJoinedToProblems(t *testing.T) {
	var errs bytes.Buffer
	problems := diag.Problems{{Code: "a", Summary: "nobody knows", Fix: "ask"}}
	v := view.View{Err: &errs}
	v.Error(errors.Join(problems.Err(), errors.New("kube-node-1: no route to it")), false)
	if got, want := errs.String(), "error: nobody knows\n  fix: ask\ndrover: kube-node-1: no route to it\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
