package inventory

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// The methods here evaluate one attribute each. They leave *dst alone, which
// holds the default, when the attribute is not written; they set it to the
// zero value when what is written is wrong, so that no later check judges a
// default the operator did not mean.

// evaluate is an attribute's value as the expression gives it; ok is false when
// it is wrong, null, or made of something that was reported as wrong.
func (b *block) evaluate(name string) (v cty.Value, ok bool) {
	attr, written := b.attrs[name]
	if !written {
		return cty.NilVal, false
	}
	spec, _ := b.spec.attr(name)
	at := rangeOf(attr.Expr.Range())
	v, diags := attr.Expr.Value(b.scope.eval)
	if spec.secret {
		b.hideSecret(attr)
	}
	if diags.HasErrors() {
		b.where.Attrs[name] = at
		b.expression(spec, at, diags)
		return cty.NilVal, false
	}
	if v.IsNull() { // as if it were not written
		if spec.required {
			b.reportMissing(spec, at)
		}
		return cty.NilVal, false
	}
	b.where.Attrs[name] = at
	if v.HasMarkDeep(unusable) {
		return cty.NilVal, false
	}
	return v, true
}

// value is an attribute's value, known and free of marks.
func (b *block) value(name string) (v cty.Value, ok bool) {
	v, ok = b.evaluate(name)
	if !ok {
		return cty.NilVal, false
	}
	spec, at := b.spec.mustAttr(name), b.where.At(name)
	if !spec.secret && v.HasMarkDeep(sensitive) {
		b.sensitive(name, at)
		return cty.NilVal, false
	}
	v, _ = v.UnmarkDeep()
	if v.IsWhollyKnown() {
		return v, true
	}
	if !b.scope.broken { // else it is the gap HCL left where the file does not parse
		b.d.report(diag.Problem{
			Code: CodeExpression, At: &at,
			Summary: fmt.Sprintf("%s has no known value", name), Fix: "write " + spec.sample(),
		})
	}
	return cty.NilVal, false
}

// hideSecret keeps a password that stands in the inventory itself from being
// shown; a mere reference to one stays visible, for its mistakes to be seen.
func (b *block) hideSecret(attr *hcl.Attribute) {
	if call, diags := hcl.ExprCall(attr.Expr); !diags.HasErrors() && (call.Name == "file" || call.Name == "env") {
		return
	}
	if t, diags := hcl.AbsTraversalForExpr(attr.Expr); !diags.HasErrors() && slices.Contains([]string{"var", "local", "each"}, t.RootName()) {
		return
	}
	b.d.sources.hide(rangeOf(attr.Range))
}

func (b *block) sensitive(name string, at diag.Range) {
	b.d.report(diag.Problem{
		Code: CodeSensitive, At: &at,
		Summary: fmt.Sprintf("%s would show a sensitive value", name),
		Detail:  "What file(), env() and sensitive variables give is secret; this attribute appears in plans and logs.",
		Fix:     "if it is no secret, say so: nonsensitive(…)",
	})
}

func (b *block) wrongType(name, want string, got cty.Value) {
	spec, _ := b.spec.attr(name)
	b.d.report(diag.Problem{
		Code: CodeWrongType, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s must be %s, not %s", name, want, kindOf(got)),
		Fix:     "write " + spec.sample(),
	})
}

// wrongInner reports one element of a list or map that is no string.
func (b *block) wrongInner(what string, got cty.Value, at diag.Range) {
	fix := "put it in quotes"
	if got.IsNull() || !got.Type().IsPrimitiveType() {
		fix = "write a string, in quotes"
	}
	b.d.report(diag.Problem{
		Code: CodeWrongType, At: &at,
		Summary: fmt.Sprintf("%s must be a string, not %s", what, kindOf(got)), Fix: fix,
	})
}

// kindOf names a value's type for a reader; never the value.
func kindOf(v cty.Value) string {
	t := v.Type()
	switch {
	case v.IsNull():
		return "null"
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		return "a map"
	}
	return t.FriendlyName()
}

// text reads a string that is not empty.
func (b *block) text(name string, dst *string) bool {
	if _, written := b.attrs[name]; !written {
		return false
	}
	v, ok := b.value(name)
	if !ok {
		if b.where.Written(name) {
			*dst = ""
		}
		return false
	}
	*dst = ""
	if v.Type() != cty.String {
		b.wrongType(name, "a string", v)
		return false
	}
	if v.AsString() == "" {
		b.empty(name, b.where.At(name))
		return false
	}
	*dst = v.AsString()
	return true
}

func (b *block) empty(name string, at diag.Range) {
	spec, isAttr := b.spec.attr(name)
	fix := "remove it"
	if isAttr && spec.required {
		fix = "write " + spec.sample()
	} else if isAttr {
		fix = "remove it, or write " + spec.sample()
	}
	b.d.report(diag.Problem{Code: CodeEmpty, At: &at, Summary: name + " is empty", Fix: fix})
}

// secret reads a password; the newline that ends most files is not part of it.
func (b *block) secret(name string, dst *Secret) {
	v, ok := b.value(name)
	if !ok {
		return
	}
	at := b.where.At(name)
	if v.Type() != cty.String {
		b.wrongType(name, "a string", v)
		return
	}
	text := trimNewline(v.AsString())
	if text == "" {
		b.empty(name, at)
		return
	}
	*dst = NewSecret(text)
}

// choice reads one of a few words.
func choice[T ~string](b *block, name string, dst *T, options ...T) {
	var word string
	if !b.text(name, &word) {
		if b.where.Written(name) {
			*dst = ""
		}
		return
	}
	known := make([]string, len(options))
	for i, o := range options {
		known[i] = string(o)
		if string(o) == word {
			*dst = o
			return
		}
	}
	*dst = ""
	b.d.report(diag.Problem{
		Code: CodeChoice, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s cannot be %q", name, word), Fix: suggest(word, known),
	})
}

// limits is the range of a whole number, and the code for being outside of it.
type limits struct {
	min, max int64
	code     string
}

func number[T ~int | ~uint32](b *block, name string, dst *T, l limits) {
	v, ok := b.value(name)
	if !ok {
		if b.where.Written(name) {
			*dst = 0
		}
		return
	}
	*dst = 0
	at := b.where.At(name)
	if v.Type() != cty.Number {
		b.wrongType(name, "a whole number", v)
		return
	}
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != big.Exact && v.AsBigFloat().IsInt() {
		n = l.max + 1 // a whole number, but beyond any limit
	} else if accuracy != big.Exact {
		spec, _ := b.spec.attr(name)
		b.d.report(diag.Problem{
			Code: CodeWrongType, At: &at,
			Summary: name + " must be a whole number", Fix: "write " + spec.sample(),
		})
		return
	}
	if n < l.min || n > l.max {
		b.d.report(diag.Problem{
			Code: l.code, At: &at,
			Summary: fmt.Sprintf("%s %s is out of range", name, v.AsBigFloat().Text('g', 20)),
			Fix:     fmt.Sprintf("write a number from %d to %d", l.min, l.max),
		})
		return
	}
	*dst = T(n)
}

// figure reads a number that is not negative, whole or not; nil when there is none.
func (b *block) figure(name string, dst **float64) {
	v, ok := b.value(name)
	if !ok {
		return
	}
	if v.Type() != cty.Number {
		b.wrongType(name, "a number", v)
		return
	}
	f, _ := v.AsBigFloat().Float64()
	if f < 0 || f > 1e12 {
		b.d.report(diag.Problem{
			Code: CodeOutOfRange, At: b.where.At(name).Ptr(),
			Summary: fmt.Sprintf("%s %s is out of range", name, v.AsBigFloat().Text('g', 20)), Fix: "write a number from 0 on",
		})
		return
	}
	*dst = &f
}

// texts reads a list of strings; ok is false unless all of it is right.
func (b *block) texts(name string) (list []string, ok bool) {
	v, ok := b.value(name)
	if !ok {
		return nil, false
	}
	at := b.where.At(name)
	if t := v.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		b.wrongType(name, "a list", v)
		return nil, false
	}
	places, _ := hcl.ExprList(b.attrs[name].Expr)
	for i, e := range v.AsValueSlice() {
		place := at
		if len(places) == v.LengthInt() {
			place = rangeOf(places[i].Range())
			b.where.Attrs[element(name, i)] = place
		}
		switch {
		case e.IsNull() || e.Type() != cty.String:
			b.wrongInner("an element of "+name, e, place)
			ok = false
		case e.AsString() == "":
			b.empty("an element of "+name, place)
			ok = false
		default:
			list = append(list, e.AsString())
		}
	}
	return list, ok
}

// textMap reads a map of strings.
func (b *block) textMap(name string) (m map[string]string, ok bool) {
	v, ok := b.value(name)
	if !ok {
		return nil, false
	}
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		b.wrongType(name, "a map", v)
		return nil, false
	}
	b.locateKeys(name)
	m = map[string]string{}
	values := v.AsValueMap()
	for _, key := range sortedKeys(values) {
		e := values[key]
		m[key] = ""
		if e.IsNull() || e.Type() != cty.String {
			b.wrongInner(member(name, key), e, b.where.AtKey(name, key))
			ok = false
			continue
		}
		m[key] = e.AsString()
	}
	return m, ok
}

// locateKeys notes where the values of a literal map stand.
func (b *block) locateKeys(name string) {
	pairs, _ := hcl.ExprMap(b.attrs[name].Expr)
	for _, p := range pairs {
		key, diags := p.Key.Value(b.scope.eval)
		key, _ = key.Unmark()
		if !diags.HasErrors() && key.IsKnown() && !key.IsNull() && key.Type() == cty.String {
			b.where.Attrs[member(name, key.AsString())] = rangeOf(p.Value.Range())
		}
	}
}
