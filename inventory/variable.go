package inventory

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/droverctl/drover/inventory/diag"
)

// Options are what an inventory is read with, besides its files.
type Options struct {
	Vars     []string // NAME=VALUE; they win over VarFiles, which win over DROVER_VAR_NAME in the environment
	VarFiles []string // NAME = VALUE in HCL, or a JSON object; a later file wins
	// Instead is what is read in the place of files of these names, whether they are
	// there or not; nil is a file that is not there.
	Instead map[string][]byte
}

// envPrefix and a variable's name make the environment variable that sets it.
const envPrefix = "DROVER_VAR_"

// unusable marks the value of a variable or local that was reported as wrong:
// what refers to it is passed over, because its mistake was told.
const unusable mark = "unusable"

var noValue = cty.DynamicVal.Mark(unusable)

// variable is one that the inventory declares.
type variable struct {
	block     *block
	typ       cty.Type
	defaults  *typeexpr.Defaults
	sensitive bool
	value     cty.Value
}

// given is a value from outside of the inventory.
type given struct {
	value cty.Value
	at    diag.Range
	text  bool // a bare text, to be read as the variable's type says
}

// variables reads the declarations of all files and settles their values.
func (d *decoder) variables(files []*block, o Options) map[string]cty.Value {
	declared := map[string]*variable{}
	places := map[string]diag.Range{}
	for _, f := range files {
		f.take(variableSpec.kind, func(b *block) {
			d.unique(places, b.spec.kind, b.name, b.where)
			if _, twice := declared[b.name]; !twice && b.name != "" {
				declared[b.name] = b.variable()
			}
		})
	}
	values := d.given(declared, o)
	vars := map[string]cty.Value{}
	for _, name := range sortedKeys(declared) {
		vars[name] = declared[name].settle(name, values)
	}
	return vars
}

func (b *block) variable() *variable {
	v := &variable{block: b, typ: cty.DynamicPseudoType, value: cty.NilVal}
	b.flag("sensitive", &v.sensitive)
	var description string
	b.text("description", &description)
	if attr, ok := b.attrs["type"]; ok {
		typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(attr.Expr)
		b.where.Attrs["type"] = rangeOf(attr.Expr.Range())
		if diags.HasErrors() {
			b.d.report(diag.Problem{
				Code: CodeVariableType, At: b.where.At("type").Ptr(),
				Summary: fmt.Sprintf("the type of variable %q is not known", b.name),
				Fix:     "write string, number, bool, any, list(…), set(…), map(…) or object({…})",
			})
			v.value = noValue
		} else {
			v.typ, v.defaults = typ, defaults
		}
	}
	if attr, ok := b.attrs["default"]; ok && v.sensitive {
		b.d.sources.hide(rangeOf(attr.Range))
	}
	return v
}

// settle is the variable's value: the one given, else its default.
func (v *variable) settle(name string, values map[string]given) cty.Value {
	b := v.block
	if v.value != cty.NilVal {
		return v.value
	}
	if g, ok := values[name]; ok {
		return v.convert(g, fmt.Sprintf("variable %q", name))
	}
	if _, ok := b.attrs["default"]; !ok {
		b.d.report(diag.Problem{
			Code: CodeVariableUnset, At: b.where.Block.Ptr(),
			Summary: fmt.Sprintf("variable %q has no value", name),
			Fix:     fmt.Sprintf("give it one: --var %s=VALUE, a --var-file, %s%s in the environment, or a default", name, envPrefix, name),
		})
		return noValue
	}
	value, ok := b.evaluate("default")
	if !ok {
		if b.where.Written("default") { // else it is null
			return noValue
		}
		value = cty.NullVal(cty.DynamicPseudoType)
	}
	return v.convert(given{value: value, at: b.where.At("default")}, fmt.Sprintf("the default of variable %q", name))
}

// convert makes the value what the variable's type says.
func (v *variable) convert(g given, what string) cty.Value {
	d, value := v.block.d, g.value
	if value.IsMarked() && value.HasMark(unusable) {
		return noValue
	}
	if g.text && !v.typ.IsPrimitiveType() && v.typ != cty.DynamicPseudoType {
		parsed, ok := v.parse(g)
		if !ok {
			return noValue
		}
		value = parsed
	}
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	converted, err := convert.Convert(value, v.typ)
	if err != nil {
		p := diag.Problem{
			Code: CodeWrongType, At: &g.at,
			Summary: fmt.Sprintf("%s must be %s, not %s", what, typeexpr.TypeString(v.typ), kindOf(unmarked(value))),
			Fix:     fmt.Sprintf("give it a value of the type at %s", v.block.where.At("type")),
		}
		if g.text {
			p.Summary = fmt.Sprintf("%s must be %s", what, typeexpr.TypeString(v.typ))
		}
		d.report(p)
		return noValue
	}
	if v.sensitive {
		converted = converted.Mark(sensitive)
	}
	return converted
}

func unmarked(v cty.Value) cty.Value {
	v, _ = v.UnmarkDeep()
	return v
}

// parse reads a list or map from the command line or the environment.
func (v *variable) parse(g given) (cty.Value, bool) {
	src := []byte(g.value.AsString())
	report := func(detail string) (cty.Value, bool) {
		if v.sensitive {
			detail = ""
		}
		v.block.d.report(diag.Problem{
			Code: CodeExpression, At: &g.at,
			Summary: fmt.Sprintf("the value of variable %q is no HCL expression", v.block.name), Detail: detail,
			Fix: "write it as in the inventory, in quotes for the shell: " + `'["a", "b"]'`,
		})
		return cty.NilVal, false
	}
	if _, deep := nesting(file{name: g.at.File, src: src}); deep {
		return report("It is nested too deeply.")
	}
	expr, diags := hclsyntax.ParseExpression(src, g.at.File, hcl.InitialPos)
	if diags.HasErrors() {
		return report(diags[0].Detail)
	}
	value, diags := expr.Value(nil)
	if diags.HasErrors() {
		return report(diags[0].Detail)
	}
	return value, true
}

// given gathers the values from outside; the last one to set a name wins.
func (d *decoder) given(declared map[string]*variable, o Options) map[string]given {
	values := map[string]given{}
	for name := range declared {
		if text, ok := os.LookupEnv(envPrefix + name); ok {
			values[name] = given{cty.StringVal(text), diag.Range{File: envPrefix + name}, true}
		}
	}
	for _, path := range o.VarFiles {
		d.varFile(path, declared, values)
	}
	for _, v := range o.Vars {
		name, text, ok := strings.Cut(v, "=")
		at := diag.Range{File: "--var " + name}
		if !ok {
			d.report(diag.Problem{
				Code: CodeUnknownVariable, At: &at,
				Summary: "it sets no value", Fix: fmt.Sprintf("write --var %s=VALUE", cmp.Or(name, "NAME")),
			})
			continue
		}
		if d.declared(name, at, declared) {
			values[name] = given{cty.StringVal(text), at, true}
		}
	}
	return values
}

func (d *decoder) varFile(path string, declared map[string]*variable, values map[string]given) {
	path = filepath.Clean(path)
	src, err := readFile(path)
	if err != nil {
		d.unreadable(path, err)
		last := &d.problems[len(d.problems)-1]
		last.Summary = strings.Replace(last.Summary, "the inventory", "the variables", 1)
		last.Fix = "name a file of NAME = VALUE lines, or a JSON object, that this user may read"
		return
	}
	f := file{path, src}
	d.files[path] = src
	d.sources.add(f)
	body, ok := d.parse(hclparse.NewParser(), f)
	vars := d.newBlock(blockSpec{kind: path, free: true}, newScope(filepath.Dir(path), !ok))
	vars.read(body)
	for _, name := range sortedKeys(vars.attrs) {
		attr := vars.attrs[name]
		if v := declared[name]; v != nil && v.sensitive {
			d.sources.hide(rangeOf(attr.Range))
		}
		if !d.declared(name, rangeOf(attr.NameRange), declared) {
			continue
		}
		value, ok := vars.evaluate(name)
		switch {
		case ok:
			values[name] = given{value: value, at: vars.where.At(name)}
		case vars.where.Written(name):
			values[name] = given{value: noValue}
		}
	}
}

// declared reports a name that no variable has.
func (d *decoder) declared(name string, at diag.Range, declared map[string]*variable) bool {
	if _, ok := declared[name]; ok {
		return true
	}
	fix := fmt.Sprintf("declare it: variable %q { }", name)
	if near := nearest(name, sortedKeys(declared)); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	if !d.incomplete || !strings.HasPrefix(fix, "declare") {
		d.report(diag.Problem{
			Code: CodeUnknownVariable, At: &at,
			Summary: fmt.Sprintf("the inventory has no variable %q", name), Fix: fix,
		})
	}
	return false
}

// object is what var and local are to an expression.
func object(values map[string]cty.Value) cty.Value {
	if len(values) == 0 {
		return cty.EmptyObjectVal
	}
	return cty.ObjectVal(values)
}
