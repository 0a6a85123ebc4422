package inventory

import (
	"cmp"
	"fmt"
	"regexp"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// expression reports that an attribute cannot be evaluated, in HCL's words.
func (b *block) expression(spec attrSpec, at diag.Range, diags hcl.Diagnostics) {
	for _, h := range diags {
		if h.Severity != hcl.DiagError {
			continue
		}
		p := diag.Problem{
			Code: CodeExpression, At: at.Ptr(),
			Summary: fmt.Sprintf("cannot evaluate %s: %s", spec.name, lowerFirst(h.Summary)), Detail: h.Detail,
			Fix: "write " + spec.sample(),
		}
		if h.Subject != nil && h.Subject.Start.Line > 0 {
			p.At = rangeOf(*h.Subject).Ptr()
		}
		call, isCall := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](h)
		unknown, isUnknown := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](h)
		failed := ""
		switch {
		case isUnknown:
			p.Summary, p.Detail = fmt.Sprintf("%s: there is no function %q", spec.name, unknown.CalledFunctionName()), ""
			p.Fix = suggest(unknown.CalledFunctionName(), sortedKeys(b.scope.eval.Functions))
		case isCall && call.FunctionCallError() != nil:
			failed = call.CalledFunctionName()
			p.Summary = fmt.Sprintf("%s: %s() failed", spec.name, failed)
			p.Detail = call.FunctionCallError().Error()
			p.Fix = cmp.Or(functionFix(failed), p.Fix)
		default:
			b.reference(&p, spec, h)
		}
		if b.mayTell(spec, failed) {
			p.Detail = ""
		}
		b.d.report(p)
	}
}

// reference tells of a name that stands for nothing.
func (b *block) reference(p *diag.Problem, spec attrSpec, h *hcl.Diagnostic) {
	var t hcl.Traversal
	if e, ok := h.Expression.(*hclsyntax.ScopeTraversalExpr); ok {
		t = e.Traversal
	}
	root := ""
	if len(t) > 0 {
		root = t.RootName()
	}
	switch {
	case h.Summary == "Unsupported attribute" && len(t) > 1 && (root == "var" || root == "local"):
		step, ok := t[1].(hcl.TraverseAttr)
		names := b.scope.eval.Variables[root].Type().AttributeTypes()
		if _, known := names[step.Name]; !ok || known { // the mistake is further down
			return
		}
		kind := map[string]string{"var": "variable", "local": "local"}[root]
		p.Summary, p.Detail = fmt.Sprintf("there is no %s %q", kind, step.Name), ""
		p.Fix = map[string]string{
			"var": fmt.Sprintf("declare it: variable %q { }", step.Name), "local": "add it to locals { … }",
		}[root]
		if near := nearest(step.Name, sortedKeys(names)); near != "" {
			p.Fix = fmt.Sprintf("did you mean %q?", root+"."+near)
		}
	case root == "each" && isUnknownName(h):
		p.Summary, p.Detail = "each stands for a row, and this block has none", ""
		p.Fix = "add for_each to the block, or write the value itself"
	case isUnknownName(h):
		p.Summary, p.Detail = fmt.Sprintf("%s is not a value", spec.name), ""
		if b.spec.kind == variableSpec.kind {
			p.Summary, p.Fix = "a default refers to nothing else", "write the value itself, or use locals"
		} else if !spec.secret {
			p.Fix = "put texts in quotes: " + spec.sample()
		}
	}
}

func isUnknownName(h *hcl.Diagnostic) bool {
	return h.Summary == "Variables not allowed" || h.Summary == "Unknown variable"
}

var secretSource = regexp.MustCompile(`\b(file|env|sensitive)\(`)

// mayTell says whether the error of a failed expression may quote a secret:
// marks protect values, not the errors that functions make of them. The one
// innocent case is file() or env() alone, whose errors name what was not found.
func (b *block) mayTell(spec attrSpec, failed string) bool {
	expr := b.attrs[spec.name].Expr
	for _, t := range expr.Variables() {
		if v, diags := t.TraverseAbs(b.scope.eval); !diags.HasErrors() && v.HasMarkDeep(sensitive) {
			return true
		}
	}
	r := expr.Range()
	n := len(secretSource.FindAll(r.SliceBytes(b.d.files[r.Filename]), -1))
	if failed == "file" || failed == "env" {
		return n > 1
	}
	return n > 0 || spec.secret
}
