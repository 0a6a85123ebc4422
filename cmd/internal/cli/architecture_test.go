package cli_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/droverctl/drover/"

// pkg is what the go command says of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Doc        string
	GoFiles    []string
	Imports    []string
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

func packages(t *testing.T) []pkg {
	t.Helper()
	c := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Doc,GoFiles,Imports", module+"...")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(out); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := c.Wait(); err != nil || len(all) < 20 {
		t.Fatalf("%d packages, %v", len(all), err)
	}
	return all
}

// within says whether a package is one of trees, or below one.
func within(name string, trees ...string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return name == tree || strings.HasPrefix(name, tree+"/") })
}

// layers, from the top: what a tree of packages may import of ours besides itself.
var layers = []struct {
	tree string
	may  []string
}{
	{"cmd/drover-lab", []string{"inventory", "examples"}},
	{"cmd/drover", []string{"cmd/internal"}},
	{"cmd/internal", []string{"provision", "inventory"}},
	{"provision", []string{"manifests", "inventory"}},
	{"manifests", []string{"inventory/diag"}},
	{"inventory/diag", nil},
	{"inventory", []string{"inventory/diag"}},
	{"examples", nil},
}

// pure packages turn data into data.
var pure = []string{
	"inventory", "manifests", "provision/plan", "provision/report",
	"provision/internal/allocatable", "provision/internal/bgp", "provision/internal/calico", "provision/internal/capacity", "provision/internal/catalog",
	"provision/internal/desired", "provision/internal/intake", "provision/internal/membership", "provision/internal/ospackage", "provision/internal/placement",
	"provision/internal/preflight",
}

// only some may import these.
var reserved = []struct {
	what string
	by   []string
}{
	{"golang.org/x/crypto/ssh", []string{"provision/internal/ssh", "provision/host/hosttest", "provision/fleettest", "cmd/drover-lab"}},
	{"github.com/pkg/sftp", []string{"provision/internal/ssh", "provision/host/hosttest", "cmd/drover-lab"}},
	{"github.com/spf13/cobra", []string{"cmd/internal/cli", "cmd/drover-lab/internal/cli"}},
	{"github.com/hashicorp/hcl/v2", []string{"inventory", "cmd/internal/view"}},
}

// Dependencies point one way, so that each layer can be read without those above.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, wrong := range wrongImports(p) {
			t.Errorf("%s must not import %s", p.name(), wrong)
		}
	}
}

func wrongImports(p pkg) []string {
	var wrong []string
	for _, path := range p.Imports {
		ours, isOurs := strings.CutPrefix(path, module)
		bad := isOurs && !allowed(p.name(), ours)
		if within(p.name(), pure...) && (path == "net" || path == "net/http" || path == "os/exec") {
			bad = true
		}
		for _, r := range reserved {
			bad = bad || within(path, r.what) && !within(p.name(), r.by...)
		}
		if bad {
			wrong = append(wrong, path)
		}
	}
	return wrong
}

func allowed(from, to string) bool {
	for _, l := range layers {
		if within(from, l.tree) {
			return within(to, l.tree) || within(to, l.may...)
		}
	}
	return false // a new tree: it needs a place among the layers
}

// The test above could not fail if these were let through.
func TestImportRules(t *testing.T) {
	for from, to := range map[string]string{
		"inventory":                   "net",
		"inventory/diag":              module + "inventory",
		"manifests":                   module + "provision/plan",
		"provision/plan":              "os/exec",
		"provision/internal/capacity": "net/http",
		"provision/internal/kube":     "golang.org/x/crypto/ssh",
		"provision":                   module + "cmd/internal/view",
		"provision/internal/engine":   "github.com/spf13/cobra",
		"cmd/internal/cli":            module + "cmd/drover-lab/internal/lab",
		"cmd/drover-lab/internal/lab": module + "provision",
		"cmd/drover":                  "github.com/spf13/cobra",
		"provision/internal/resource": "golang.org/x/crypto/ssh/agent",
		"somewhere":                   module + "inventory",
	} {
		if len(wrongImports(pkg{ImportPath: module + from, Imports: []string{to}})) == 0 {
			t.Errorf("%s may import %s", from, to)
		}
	}
	if wrong := wrongImports(pkg{ImportPath: module + "provision/internal/bgp", Imports: []string{"net/netip", module + "inventory/diag"}}); len(wrong) > 0 {
		t.Errorf("not allowed: %v", wrong)
	}
}

// Every package says what it is for.
func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment: add a doc.go that says what it is for", p.name())
		}
	}
}

// Only view writes to a command's streams, and only main knows the process's own.
func TestOutput(t *testing.T) {
	for _, p := range packages(t) {
		if !within(p.name(), "cmd/internal", "provision", "manifests", "inventory") {
			continue
		}
		for _, name := range p.GoFiles {
			for _, word := range printing(t, filepath.Join(p.Dir, name)) {
				t.Errorf("%s/%s uses %s: return it, or render it in cmd/internal/view", p.name(), name, word)
			}
		}
	}
}

// printing lists what in a file writes to the process's own streams.
func printing(t *testing.T, name string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, imported := range f.Imports {
		if path, err := strconv.Unquote(imported.Path.Value); err == nil && path == "log" {
			words = append(words, "log")
		}
	}
	for _, x := range selectors(f) {
		if slices.Contains([]string{"os.Stdout", "os.Stderr", "os.Stdin", "os.Exit", "fmt.Print", "fmt.Printf", "fmt.Println"}, x) {
			words = append(words, x)
		}
	}
	return words
}
