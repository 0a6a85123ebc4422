package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
)

// maxFile bounds what is read of one file. A thousand hosts need a fifth of
// it; /dev/zero, given by mistake, would otherwise fill the memory.
const maxFile = 1 << 20

// file is one inventory file, in HCL's native or, by its name, JSON form.
type file struct {
	name string
	src  []byte
}

// Load reads the inventory that the paths make up together: files, and
// directories of *.hcl and *.hcl.json files (not of their subdirectories).
// Without an error among the problems there is a Cluster; warnings may come
// with it. Problems are sorted by place and carry their source lines.
//
// An inventory that loads describes machines; whether it also says enough to
// make a cluster of them, Cluster.ReadyToProvision tells.
func Load(paths ...string) (*Cluster, diag.Problems) { return Options{}.Load(paths...) }

// Load is the function Load with values for the inventory's variables.
func (o Options) Load(paths ...string) (*Cluster, diag.Problems) {
	return newDecoder().loadPaths(o, paths)
}

func (d *decoder) loadPaths(o Options, paths []string) (*Cluster, diag.Problems) {
	var files []file
	for _, name := range o.among(d.list(paths), paths) {
		src, err := o.readFile(name)
		if err != nil {
			d.unreadable(name, err)
			continue
		}
		files = append(files, file{name, src})
	}
	return d.load(o, files)
}

func (d *decoder) load(o Options, files []file) (*Cluster, diag.Problems) {
	if len(files) > 0 {
		d.start = diag.Range{File: files[0].name, Start: diag.Pos{Line: 1, Column: 1}, End: diag.Pos{Line: 1, Column: 1}}
	}
	roots := d.parseAll(files)
	vars := d.variables(roots, o)
	locals := d.locals(roots, vars)
	for _, f := range roots {
		d.blocks(f.withVariables(map[string]cty.Value{"var": object(vars), "local": object(locals)}))
	}
	if len(files) > 0 {
		d.fill(d.cluster)
		d.validate()
	}
	d.tellOnce()
	d.passOver()
	d.problems.Sort()
	d.sources.quote(d.problems)
	if d.problems.HasErrors() {
		return nil, d.problems
	}
	return d.cluster, d.problems
}

// parseAll gives each file's blocks, not yet opened.
func (d *decoder) parseAll(files []file) []*block {
	parser := hclparse.NewParser()
	var roots []*block
	for _, f := range files {
		d.files[f.name] = f.src
		d.sources.add(f)
		body, ok := d.parse(parser, f)
		root := d.newBlock(rootSpec, newScope(filepath.Dir(f.name), !ok))
		root.title = "the inventory"
		root.where.Block = rangeOf(body.MissingItemRange())
		root.read(body)
		roots = append(roots, root)
	}
	return roots
}

// parse gives the body of a file; of a broken one, which is not ok, what could
// be read of it.
func (d *decoder) parse(parser *hclparse.Parser, f file) (body hcl.Body, ok bool) {
	if at, deep := nesting(f); deep {
		d.incomplete = true
		d.report(diag.Problem{
			Code: CodeSyntax, At: &at,
			Summary: "nested too deeply", Fix: "check that this is an inventory; none nests this deep",
		})
		return hcl.EmptyBody(), false
	}
	parse := parser.ParseHCL
	if strings.HasSuffix(f.name, ".json") {
		parse = parser.ParseJSON
	}
	parsed, diags := parse(f.src, f.name)
	d.syntax(diags, f.name)
	if parsed == nil || parsed.Body == nil {
		return hcl.EmptyBody(), false
	}
	return parsed.Body, !diags.HasErrors()
}

// list is the names of the files that paths stand for, each once.
func (d *decoder) list(paths []string) []string {
	var names []string
	for _, p := range paths {
		in, err := filesIn(filepath.Clean(p))
		if err != nil {
			d.unreadable(p, err)
		}
		for _, name := range in {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(paths) == 0 {
		d.unreadable("inventory", errors.New("no file or directory given"))
	}
	return names
}

// filesIn is path itself or, of a directory, the inventory files in it, sorted.
func filesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, nil // reading it tells the error
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if isInventory(e.Name()) && !e.IsDir() {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, errors.New("the directory holds no *.hcl or *.hcl.json file")
	}
	return names, nil
}

// isInventory leaves out what editors drop beside a file they have open.
func isInventory(name string) bool {
	return !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json"))
}

func (d *decoder) unreadable(name string, err error) {
	d.incomplete = true
	reason := err.Error()
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		reason = pathErr.Err.Error()
	}
	d.report(diag.Problem{
		Code: CodeUnreadable, At: &diag.Range{File: name}, Err: err,
		Summary: "cannot read the inventory: " + reason,
		Fix:     "name an inventory file, or a directory of *.hcl and *.hcl.json files, that this user may read",
	})
}

// readFile reads a regular file of a sane size; a device or a pipe would never end.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = tooLarge(name)
	}
	return b, err
}

func tooLarge(name string) error {
	return &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("larger than %d KiB", maxFile>>10)}
}
