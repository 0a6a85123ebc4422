package inventory

import (
	"strings"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/droverctl/drover/inventory/diag"
)

// Files are the files that paths stand for, as Load reads them.
func Files(paths ...string) ([]string, diag.Problems) {
	d := newDecoder()
	return d.list(paths), d.problems
}

// Format is a file's text in the one layout that inventories have; the JSON form
// has none and stays as it is. What does not parse is not touched: where its
// blocks end is anyone's guess.
func Format(name string) (before, after []byte, problems diag.Problems) {
	d := newDecoder()
	src, err := readFile(name)
	if err != nil {
		d.unreadable(name, err)
		return nil, nil, d.problems
	}
	f := file{name, src}
	if strings.HasSuffix(name, ".json") {
		return src, src, nil
	}
	d.files[name] = src
	d.sources.add(f)
	if _, ok := d.parse(hclparse.NewParser(), f); !ok {
		d.problems.Sort()
		d.sources.quote(d.problems)
		return src, src, d.problems
	}
	return src, hclwrite.Format(src), nil
}
