package inventory

import (
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

// syntax takes over what HCL itself found while parsing name.
func (d *decoder) syntax(diags hcl.Diagnostics, name string) {
	for _, h := range diags {
		at := diag.Range{File: name, Start: diag.Pos{Line: 1, Column: 1}, End: diag.Pos{Line: 1, Column: 1}}
		if h.Subject != nil && h.Subject.Start.Line > 0 {
			at = rangeOf(*h.Subject)
		}
		p := diag.Problem{
			Code: CodeSyntax, At: &at,
			Summary: lowerFirst(strings.TrimSuffix(h.Summary, ".")), Detail: h.Detail,
			Fix: "correct the HCL at this place",
		}
		if h.Severity == hcl.DiagWarning {
			p.Severity = diag.Warning
		} else {
			d.incomplete = true
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
		d.report(p)
	}
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
	if len(s) < 2 || strings.ToUpper(s[:2]) == s[:2] { // an abbreviation stays
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
