package inventory

import (
	"regexp"
	"strings"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/hashicorp/hcl/v2"
)

// HCL tells its findings apart by their summaries alone. A summary that is not
// listed, or that a new HCL words differently, falls back to CodeSyntax and a
// general fix; nothing gets lost by it.
var syntaxFixes = []struct{ summary, code, fix string }{
	{"Attribute redefined", CodeDuplicateAttribute, "remove one of the two"},
	{"Duplicate argument", CodeDuplicateAttribute, "remove one of the two"},
	{"Invalid single-argument block definition", CodeSyntax, "put each attribute and the closing } on a line of their own"},
	{"Missing newline after argument", CodeSyntax, "put each attribute on a line of its own"},
	{"Missing newline after block definition", CodeSyntax, "put each block on a line of its own"},
	{"Unclosed configuration block", CodeSyntax, "add the missing }"},
	{"Unterminated", CodeSyntax, "close what begins here"},
	{"Invalid multi-line string", CodeSyntax, `close the string with " on the same line`},
	{"Missing block label", CodeBlockName, `give the block a name: {"NAME": {…}}`},
	{"Incorrect JSON value type", CodeWrongType, "write an object: {…}"},
}

// syntax takes over what HCL itself found in the file name.
func (d *decoder) syntax(diags hcl.Diagnostics, name string) {
	told := map[string]bool{}
	for _, h := range diags {
		at := diag.Range{File: name, Start: diag.Pos{Line: 1, Column: 1}, End: diag.Pos{Line: 1, Column: 1}}
		if h.Subject != nil && h.Subject.Start.Line > 0 {
			at = rangeOf(*h.Subject)
		}
		if h.Severity == hcl.DiagError {
			d.incomplete = true
		}
		// HCL tells an unclosed string again on every line it runs over, and
		// some mistakes in two ways.
		if told[at.String()] || told[h.Summary] {
			continue
		}
		told[at.String()] = true
		told[h.Summary] = h.Summary == "Invalid multi-line string"
		d.report(d.fromHCL(h, at))
	}
}

var hclPlace = regexp.MustCompile(`:([0-9]+),([0-9]+)-[0-9,]+`)

func (d *decoder) fromHCL(h *hcl.Diagnostic, at diag.Range) diag.Problem {
	p := diag.Problem{
		Code: CodeSyntax, At: &at,
		Summary: lowerFirst(h.Summary), Detail: hclPlace.ReplaceAllString(h.Detail, ":$1:$2"),
		Fix: "correct the syntax at this place",
	}
	if h.Severity == hcl.DiagWarning {
		p.Severity = diag.Warning
	}
	for _, f := range syntaxFixes {
		if strings.HasPrefix(h.Summary, f.summary) {
			p.Code, p.Fix = f.code, f.fix
			break
		}
	}
	if d.sources.line(at) == "" { // HCL may quote the line, and the line may be a secret
		p.Detail = ""
	}
	return p
}

// maxNesting is far beyond any inventory, and far below what overflows the
// stack of HCL's recursive parser, which nothing could recover from.
const maxNesting = 1000

// nesting finds where a file becomes too deep. It counts characters, not
// tokens: brackets, the operators that stack up before a value, and those that
// chain conditions. It need not be exact, only never miss a real depth by much.
func nesting(f file) (at diag.Range, deep bool) {
	brackets, prefixes, conditions := 0, 0, 0
	line, start := 1, 0
	for i, c := range f.src {
		switch c {
		case '(', '[', '{':
			brackets++
		case ')', ']', '}':
			brackets = max(brackets-1, 0)
		case '?':
			conditions++
		case '\n':
			line, start, prefixes = line+1, i+1, 0
		}
		switch c {
		case '!', '-':
			prefixes++
		case ' ', '\t', '\r':
		default:
			prefixes = 0
		}
		if brackets > maxNesting || prefixes > maxNesting || conditions > 10*maxNesting {
			p := diag.Pos{Line: line, Column: i - start + 1}
			return diag.Range{File: f.name, Start: p, End: p}, true
		}
	}
	return diag.Range{}, false
}

// rangeOf is HCL's range in our terms.
func rangeOf(r hcl.Range) diag.Range {
	return diag.Range{
		File:  r.Filename,
		Start: diag.Pos{Line: r.Start.Line, Column: r.Start.Column},
		End:   diag.Pos{Line: r.End.Line, Column: r.End.Column},
	}
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
