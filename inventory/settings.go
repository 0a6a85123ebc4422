package inventory

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/droverctl/drover/inventory/diag"
)

var flagName = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9-]*$`)

// flag reads true or false.
func (b *block) flag(name string, dst *bool) {
	v, ok := b.value(name)
	if !ok {
		return
	}
	if v.Type() != cty.Bool {
		b.wrongType(name, "true or false", v)
		return
	}
	*dst = v.True()
}

// settings reads a map of anything that a configuration file can hold.
func (b *block) settings(name string, dst *Settings) {
	v, ok := b.value(name)
	if !ok {
		return
	}
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		b.wrongType(name, "a map", v)
		return
	}
	b.locateKeys(name)
	s := Settings{}
	values := v.AsValueMap()
	for _, key := range sortedKeys(values) {
		plain, ok := b.plain(member(name, key), values[key], b.where.AtKey(name, key))
		if ok {
			s[key] = plain
		}
	}
	*dst = s
}

// plain is a value as JSON would hold it.
func (b *block) plain(what string, v cty.Value, at diag.Range) (any, bool) {
	t := v.Type()
	switch {
	case v.IsNull():
		b.d.report(diag.Problem{
			Code: CodeWrongType, At: &at,
			Summary: what + " is null", Fix: "remove it, or give it a value",
		})
		return nil, false
	case t == cty.String:
		return v.AsString(), true
	case t == cty.Bool:
		return v.True(), true
	case t == cty.Number:
		if n, accuracy := v.AsBigFloat().Int64(); accuracy == big.Exact {
			return n, true
		}
		f, _ := v.AsBigFloat().Float64()
		return f, true
	case t.IsObjectType() || t.IsMapType():
		m, ok := map[string]any{}, true
		values := v.AsValueMap()
		for _, key := range sortedKeys(values) {
			inner, innerOK := b.plain(member(what, key), values[key], at)
			m[key], ok = inner, ok && innerOK
		}
		return m, ok
	default:
		list, ok := []any{}, true
		for i, e := range v.AsValueSlice() {
			inner, innerOK := b.plain(element(what, i), e, at)
			list, ok = append(list, inner), ok && innerOK
		}
		return list, ok
	}
}

// args reads flags: a text, number or truth value each, or a list of those.
func (b *block) args(name string, dst *Args) {
	v, ok := b.value(name)
	if !ok {
		return
	}
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		b.wrongType(name, "a map", v)
		return
	}
	b.locateKeys(name)
	args := Args{}
	values := v.AsValueMap()
	for _, key := range sortedKeys(values) {
		at := b.where.AtKey(name, key)
		if !flagName.MatchString(key) {
			b.badFlag(name, key, at)
			continue
		}
		list := []cty.Value{values[key]}
		if t := values[key].Type(); !values[key].IsNull() && (t.IsTupleType() || t.IsListType() || t.IsSetType()) {
			list = values[key].AsValueSlice()
		}
		for _, e := range list {
			text, ok := flagText(e)
			if !ok {
				b.d.report(diag.Problem{
					Code: CodeWrongType, At: &at,
					Summary: fmt.Sprintf("%s must be a string, a number, true or false, or a list of those, not %s", member(name, key), kindOf(e)),
					Fix:     "write the flag's value as its command line has it",
				})
				break
			}
			args[key] = append(args[key], text)
		}
	}
	*dst = args
}

func (b *block) badFlag(name, key string, at diag.Range) {
	fix := "write the flag's name: small letters, digits and dashes"
	bare, _, _ := strings.Cut(strings.TrimLeft(key, "-"), "=")
	if better := strings.ReplaceAll(bare, "_", "-"); flagName.MatchString(better) && better != key {
		fix = fmt.Sprintf("write %s = VALUE", better)
		if !hclsyntax.ValidIdentifier(better) {
			fix = fmt.Sprintf("write %q = VALUE", better)
		}
	}
	b.d.report(diag.Problem{
		Code: CodeFlag, At: &at, Summary: fmt.Sprintf("%s: %q is not the name of a flag", name, key), Fix: fix,
	})
}

func flagText(v cty.Value) (string, bool) {
	switch {
	case v.IsNull():
	case v.Type() == cty.String:
		return v.AsString(), true
	case v.Type() == cty.Bool:
		return fmt.Sprint(v.True()), true
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1), true
	}
	return "", false
}

// modelled reports a setting that has an attribute of its own: of two values,
// one would silently win.
func (b *block) modelled(name, key, attr string) {
	b.d.report(diag.Problem{
		Code: CodeModelled, At: b.where.AtKey(name, key).Ptr(),
		Summary: fmt.Sprintf("%s has an attribute of its own", member(name, key)),
		Fix:     "write " + b.spec.mustAttr(attr).sample(),
	})
}
