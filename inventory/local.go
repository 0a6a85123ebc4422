package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/droverctl/drover/inventory/diag"
)

// locals settles the locals of all files. They may refer to one another in any
// order, as long as they do not go in a circle.
func (d *decoder) locals(files []*block, vars map[string]cty.Value) map[string]cty.Value {
	l := &locals{d: d, vars: vars, exprs: map[string]localExpr{}, values: map[string]cty.Value{}}
	places := map[string]diag.Range{}
	for _, f := range files {
		f.take(localsSpec.kind, func(b *block) {
			for _, name := range sortedKeys(b.attrs) {
				at := rangeOf(b.attrs[name].NameRange)
				d.unique(places, "local", name, Where{Block: at})
				if _, twice := l.exprs[name]; !twice {
					l.exprs[name] = localExpr{b, at}
				}
			}
		})
	}
	for _, name := range sortedKeys(l.exprs) {
		l.settle(name, nil)
	}
	return l.values
}

type localExpr struct {
	block *block
	at    diag.Range
}

type locals struct {
	d      *decoder
	vars   map[string]cty.Value
	exprs  map[string]localExpr
	values map[string]cty.Value
}

// settle evaluates a local after those it refers to; path is how it was reached.
func (l *locals) settle(name string, path []string) {
	if _, done := l.values[name]; done {
		return
	}
	e := l.exprs[name]
	if i := slices.Index(path, name); i >= 0 {
		circle := append(slices.Clone(path[i:]), name)
		l.d.report(diag.Problem{
			Code: CodeCircle, At: &e.at,
			Summary: fmt.Sprintf("local.%s refers to itself", name),
			Detail:  "The circle is " + strings.Join(circle, " → ") + ".",
			Fix:     "write one of them without the others",
		})
		for _, n := range circle {
			l.values[n] = noValue
		}
		return
	}
	for _, t := range e.block.attrs[name].Expr.Variables() {
		if t.RootName() != "local" || len(t) < 2 {
			continue
		}
		if step, ok := t[1].(hcl.TraverseAttr); ok {
			if _, known := l.exprs[step.Name]; known {
				l.settle(step.Name, append(path, name))
			}
		}
	}
	if _, done := l.values[name]; done { // it is part of a circle
		return
	}
	b := e.block.withVariables(map[string]cty.Value{
		"var": object(l.vars), "local": object(l.values),
	})
	v, ok := b.evaluate(name)
	if !ok {
		v = noValue
		if !b.where.Written(name) {
			v = cty.NullVal(cty.DynamicPseudoType)
		}
	}
	l.values[name] = v
}
