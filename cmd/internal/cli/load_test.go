package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/droverctl/drover/cmd/internal/view"
)

// What works on hosts begins with load, and never without the list of masters.
func TestLoad(t *testing.T) {
	for text, want := range map[string]int{
		"cluster \"c\" {\n  masters = [\"m1\"]\n}\n\nkube_master \"m1\" {\n  address = \"10.90.0.11\"\n}\n": exitOK,
		"cluster \"c\" {}\n\nkube_master \"m1\" {\n  address = \"10.90.0.11\"\n}\n":                         exitInventory,
		"cluster \"c\" {}\n": exitInventory,
	} {
		name := filepath.Join(t.TempDir(), "i.hcl")
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		a := &app{view: view.View{Out: &out, Err: &errs}, inventory: []string{name}}
		c, err := a.load()
		if got := exitCode(context.Background(), err); got != want || (c == nil) != (want != exitOK) {
			t.Errorf("%s: exit code %d, want %d: %v", text, got, want, err)
		}
	}
}
