package inventory

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the tests got as what they want")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func render(t *testing.T, ps diag.Problems) string {
	t.Helper()
	var b strings.Builder
	if err := ps.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each file of testdata/broken holds one mistake, and is named after the code
// it must be told by: CODE.hcl or CODE@variant.hcl. One mistake is one
// problem; only many.hcl holds many.
func TestMistakes(t *testing.T) {
	seen := map[string]bool{CodeUnreadable: true, CodeUnknownVariable: true} // TestUnreadable, TestWrongOptions have those
	for _, name := range broken(t) {
		base := filepath.Base(name)
		stem, _, _ := strings.Cut(base, ".hcl")
		t.Run(base, func(t *testing.T) {
			cluster, problems := Load(name)
			if strings.HasPrefix(stem, "not-pinned") {
				if len(problems) > 0 {
					t.Errorf("a lab does not need it: %v", problems)
				}
				problems = cluster.ReadyToProvision()
				cluster = nil
			}
			golden(t, name+".golden", render(t, problems))
			if (cluster == nil) != problems.HasErrors() {
				t.Errorf("cluster %v with problems %v", cluster, problems)
			}
			for _, p := range problems {
				checkProblem(t, p)
			}
			if stem == "many" {
				return
			}
			code, _, _ := strings.Cut(stem, "@")
			if len(problems) != 1 || problems[0].Code != "inventory-"+code {
				t.Errorf("want the one problem inventory-%s, got %+v", code, problems)
			}
			seen["inventory-"+code] = true
		})
	}
	for _, code := range codes(t) {
		if !seen[code] {
			t.Errorf("no file in testdata/broken has the mistake %s", code)
		}
	}
}

func broken(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"testdata/broken/*.hcl", "testdata/broken/*.hcl.json"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, names...)
	}
	if len(files) < 50 {
		t.Fatalf("only %d files in testdata/broken", len(files))
	}
	return files
}

// codes reads the Code constants from their source, so that none is forgotten.
func codes(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			code, err := strconv.Unquote(lit.Value)
			if err != nil || !strings.HasPrefix(code, "inventory-") || slices.Contains(all, code) {
				t.Errorf("code %s is malformed or used twice", lit.Value)
			}
			all = append(all, code)
		}
		return true
	})
	return all
}

// checkProblem holds what every problem of an inventory's content has.
func checkProblem(t *testing.T, p diag.Problem) {
	t.Helper()
	if p.Code == "" || p.Summary == "" || p.Fix == "" {
		t.Errorf("a problem without code, summary or fix: %+v", p)
	}
	if p.At == nil || p.At.File == "" || p.At.Start.Line < 1 || p.At.Start.Column < 1 {
		t.Errorf("a problem without a place: %+v", p)
	}
}

func TestUnreadable(t *testing.T) {
	empty := t.TempDir()
	huge := filepath.Join(t.TempDir(), "huge.hcl")
	if err := os.WriteFile(huge, make([]byte, maxFile+1), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, want string
	}{
		{"testdata/no-such.hcl", "no such file or directory"},
		{"/dev/zero", "not a regular file"},
		{empty, "the directory holds no *.hcl or *.hcl.json file"},
		{huge, "larger than 1024 KiB"},
	} {
		cluster, problems := Load(test.path)
		want := test.path + ": error: cannot read the inventory: " + test.want + "\n" +
			"  fix: name an inventory file, or a directory of *.hcl and *.hcl.json files, that this user may read\n"
		if got := render(t, problems); got != want || cluster != nil || problems[0].Code != CodeUnreadable {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	if cluster, problems := Load(); cluster != nil || !problems.HasErrors() {
		t.Errorf("no path at all: %v, %v", cluster, problems)
	}
}
