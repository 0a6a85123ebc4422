package inventory

import (
	"fmt"
	"maps"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/droverctl/drover/inventory/diag"
)

// maxRows bounds a for_each; the largest cluster that Kubernetes is tested for
// has half of it.
const maxRows = 10_000

// row is one element of for_each: each.key and each.value.
type row struct {
	key   string
	value cty.Value
}

// rows gives the block itself or, with for_each, one block for each row. HCL
// takes no expression as a label; the label names the rows as a whole, and a
// row is called LABEL-KEY unless the attribute name says otherwise.
func (b *block) rows(do func(row *block)) {
	if _, many := b.attrs["for_each"]; !many {
		if _, named := b.attrs["name"]; named {
			b.d.report(diag.Problem{
				Code: CodeForEach, At: rangeOf(b.attrs["name"].NameRange).Ptr(),
				Summary: fmt.Sprintf("%s is named by its label; name is for the rows of for_each", b.title),
				Fix:     "remove it, and write the name as the label",
			})
		}
		do(b)
		return
	}
	list, ok := b.forEach()
	if !ok {
		b.d.incomplete = true
		return
	}
	b.d.rows = true
	for _, r := range list {
		do(b.row(r))
	}
	b.d.rows = false
}

// row is the block as one row of for_each sees it.
func (b *block) row(r row) *block {
	vars := maps.Clone(b.scope.eval.Variables)
	vars["each"] = cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(r.key), "value": r.value})
	one := b.withVariables(vars)
	one.where.Attrs = maps.Clone(b.where.Attrs)
	one.name = b.name + "-" + r.key
	if _, ok := b.attrs["name"]; ok {
		label := one.where.Attrs["name"]
		delete(one.where.Attrs, "name")
		var name string
		switch {
		case one.text("name", &name):
			one.name = name
		case one.where.Written("name"): // but wrong
			one.name = ""
			b.d.incomplete = true
		default: // null
			one.where.Attrs["name"] = label
		}
	}
	one.title = fmt.Sprintf("%s %q", b.spec.kind, one.name)
	if one.name != "" {
		one.checkName()
	}
	b.d.repeated[one.where.Block] = true
	return one
}

// forEach is the rows: of a map by key, of a list or set of texts or numbers in
// its order.
func (b *block) forEach() (rows []row, ok bool) {
	v, ok := b.evaluate("for_each")
	at := b.where.At("for_each")
	if !ok {
		if !b.where.Written("for_each") {
			b.badForEach(rangeOf(b.attrs["for_each"].Expr.Range()), "for_each is null", "remove it, or "+forEachFix)
		}
		return nil, false
	}
	if v.HasMarkDeep(sensitive) {
		b.sensitive("for_each", at)
		return nil, false
	}
	v, _ = v.UnmarkDeep()
	t := v.Type()
	switch {
	case !v.IsWhollyKnown():
		if !b.scope.broken {
			b.badForEach(at, "for_each has no known value", forEachFix)
		}
		return nil, false
	case !t.IsObjectType() && !t.IsMapType() && !t.IsTupleType() && !t.IsListType() && !t.IsSetType():
		b.badForEach(at, "for_each must be a map, a set or a list, not "+kindOf(v), forEachFix)
		return nil, false
	case v.LengthInt() > maxRows:
		b.badForEach(at, fmt.Sprintf("for_each has %d rows", v.LengthInt()), fmt.Sprintf("write at most %d", maxRows))
		return nil, false
	}
	keyed := t.IsObjectType() || t.IsMapType()
	seen := map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if !keyed {
			key = value
			if value.IsNull() || value.Type() != cty.String && value.Type() != cty.Number {
				b.badForEach(at, "an element of for_each must be a string or a number, not "+kindOf(value), "use a map for rows of more than one value")
				return nil, false
			}
		}
		text, err := convert.Convert(key, cty.String)
		if err != nil || text.IsNull() {
			b.badForEach(at, "for_each has a key that is no text", forEachFix)
			return nil, false
		}
		if seen[text.AsString()] {
			b.badForEach(at, fmt.Sprintf("for_each has %q twice", text.AsString()), "remove one of the two")
			return nil, false
		}
		seen[text.AsString()] = true
		rows = append(rows, row{text.AsString(), value})
	}
	return rows, true
}

const forEachFix = `write a map or a list: for_each = { "1" = "10.90.0.21" }`

func (b *block) badForEach(at diag.Range, summary, fix string) {
	b.d.report(diag.Problem{Code: CodeForEach, At: &at, Summary: summary, Fix: fix})
}

// tellOnce drops what the rows of a for_each repeat: one mistake in the block is
// one problem, told for the first row that has it.
func (d *decoder) tellOnce() {
	for _, p := range d.cluster.parties() {
		if d.repeated[p.where.Block] {
			for _, at := range p.where.Attrs {
				d.repeated[at] = true
			}
		}
	}
	type told struct {
		code string
		at   diag.Range
	}
	seen := map[told]bool{}
	kept := d.problems[:0]
	for _, p := range d.problems {
		if p.At != nil && d.repeated[*p.At] {
			if seen[told{p.Code, *p.At}] {
				continue
			}
			seen[told{p.Code, *p.At}] = true
		}
		kept = append(kept, p)
	}
	d.problems = kept
}
