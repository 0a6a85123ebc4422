package inventory

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples have the layout that `drover inventory fmt` gives.
func TestExamplesAreFormatted(t *testing.T) {
	files, problems := Files("../examples/production", "../examples/lab")
	if len(problems) > 0 || len(files) != 4 {
		t.Fatal(files, problems)
	}
	for _, name := range append(files, "testdata/full.hcl") {
		before, after, problems := Format(name)
		if d := cmp.Diff(string(before), string(after)); d != "" || len(problems) > 0 {
			t.Errorf("%s: %v (-is +should be):\n%s", name, problems, d)
		}
	}
}

// What is formatted stays so, and means the same.
func TestFormatTwice(t *testing.T) {
	for _, name := range broken(t) {
		_, once, problems := Format(name)
		if len(problems) > 0 {
			continue // it does not parse
		}
		again := filepath.Join(t.TempDir(), filepath.Base(name))
		if err := os.WriteFile(again, once, 0o644); err != nil {
			t.Fatal(err)
		}
		before, after, problems := Format(again)
		if d := cmp.Diff(string(before), string(after)); d != "" || len(problems) > 0 {
			t.Errorf("%s: %v (-once +twice):\n%s", name, problems, d)
		}
	}
}
