package inventory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// decoder gathers the Cluster and the problems over all files.
type decoder struct {
	cluster  *Cluster
	problems diag.Problems
	files    map[string][]byte
	sources  sources
	start    diag.Range // of the first file: where a problem of the inventory as a whole is shown

	seen map[string]diag.Range // the blocks that may occur once
	// rows is set while the rows of a for_each are read, and repeated holds the
	// places they share: a mistake there is told for its first row only.
	rows     bool
	repeated map[diag.Range]bool
	// incomplete: some of the inventory could not be read, so that what looks
	// missing from it may stand there.
	incomplete bool
	part       bool // more of the inventory is yet to come
}

func newDecoder() *decoder {
	s := sources{}
	return &decoder{
		cluster: defaults(s), sources: s,
		files: map[string][]byte{}, seen: map[string]diag.Range{}, repeated: map[diag.Range]bool{},
	}
}

func (d *decoder) report(p diag.Problem) {
	if d.rows {
		d.repeated[*p.At] = true
	}
	d.problems = append(d.problems, p)
}

// newBlock is a block without a header: a file, or the values beside one.
func (d *decoder) newBlock(spec blockSpec, s scope) *block {
	return &block{
		d: d, spec: spec, scope: s, title: spec.kind,
		where: Where{Attrs: map[string]diag.Range{}}, meant: map[string]bool{},
	}
}

// block is one block of the inventory on its way into the Cluster: its
// contents were checked against its spec, its attributes not yet evaluated.
type block struct {
	d     *decoder
	spec  blockSpec
	scope scope
	title string // for messages: kube_node "web-1"
	name  string
	where Where
	attrs hcl.Attributes
	raw   hcl.Blocks
	// meant holds the attributes that were written misspelt: told once, they
	// are not missing as well.
	meant map[string]bool
}

// open checks a block's contents and reports what does not belong into it and
// what is missing from it.
func (d *decoder) open(spec blockSpec, raw *hcl.Block, s scope) *block {
	b := d.newBlock(spec, s)
	b.where.Block = rangeOf(raw.DefRange)
	if len(raw.Labels) > 0 {
		b.name = raw.Labels[0]
		b.title = fmt.Sprintf("%s %q", spec.kind, b.name)
		b.where.Attrs["name"] = rangeOf(raw.LabelRanges[0])
		if _, native := raw.Body.(*hclsyntax.Body); !native {
			b.where.Block = b.where.Attrs["name"] // JSON's header would be a lone {
		}
		b.checkName()
	}
	b.read(raw.Body)
	b.missing()
	return b
}

func (b *block) read(body hcl.Body) {
	if native, ok := body.(*hclsyntax.Body); ok {
		b.unknown(native)
		// Its diagnostics only repeat what unknown has told.
		if b.spec.free {
			b.attrs, _ = native.JustAttributes()
			return
		}
		content, _, _ := native.PartialContent(b.spec.hcl())
		b.attrs, b.raw = content.Attributes, content.Blocks
		return
	}
	if b.spec.free {
		attrs, diags := body.JustAttributes()
		b.attrs = attrs
		b.d.syntax(diags, b.where.Block.File)
		return
	}
	content, diags := body.Content(b.spec.hcl())
	b.attrs, b.raw = content.Attributes, content.Blocks
	diags = slices.DeleteFunc(diags, b.unknownProperty)
	if !b.scope.broken { // else HCL judges the gaps its parser left
		b.d.syntax(diags, b.where.Block.File)
	}
}

// unknown reports what a body in native syntax holds beyond its spec.
func (b *block) unknown(body *hclsyntax.Body) {
	for _, name := range sortedKeys(body.Attributes) {
		if _, ok := b.spec.attr(name); !ok {
			b.unknownAttr(name, rangeOf(body.Attributes[name].NameRange), rangeOf(body.Attributes[name].SrcRange))
		}
	}
	for _, raw := range body.Blocks {
		spec, ok := b.spec.block(raw.Type)
		if !ok {
			b.unknownBlock(raw.Type, rangeOf(raw.TypeRange))
			continue
		}
		b.checkLabels(spec, raw)
	}
}

// unknownProperty says whether h is JSON's word for an unknown name, and then
// reports it. In JSON nothing tells a block from an attribute.
func (b *block) unknownProperty(h *hcl.Diagnostic) bool {
	if h.Summary != "Extraneous JSON object property" || h.Subject == nil {
		return false
	}
	var name string
	text := h.Subject.SliceBytes(b.d.files[h.Subject.Filename])
	if json.Unmarshal(text, &name) != nil {
		return false
	}
	at := rangeOf(*h.Subject)
	if nearest(name, b.spec.blockNames()) != "" || len(b.spec.attrs) == 0 {
		b.unknownBlock(name, at)
	} else {
		b.unknownAttr(name, at, rangeOf(*h.Context))
	}
	return true
}

func (b *block) unknownAttr(name string, at, whole diag.Range) {
	meant, _ := b.spec.attr(nearest(name, b.spec.attrNames()))
	b.meant[meant.name] = true
	if meant.secret {
		b.d.sources.hide(whole)
	}
	p := diag.Problem{
		Code: CodeUnknownAttribute, At: &at,
		Summary: fmt.Sprintf("%s has no attribute %q", b.title, name),
		Fix:     suggest(name, b.spec.attrNames()),
	}
	if b.spec.kind == "" {
		p.Summary = fmt.Sprintf("attribute %q stands outside of any block", name)
		p.Fix = "move it into the block it belongs to, one of: " + strings.Join(b.spec.blockNames(), ", ")
	}
	if inner, ok := b.spec.block(name); ok {
		p.Fix = fmt.Sprintf("%s is a block: write %s { … }, without =", name, inner.header())
	}
	b.d.report(p)
}

func (b *block) unknownBlock(kind string, at diag.Range) {
	b.d.incomplete = true
	p := diag.Problem{
		Code: CodeUnknownBlock, At: &at,
		Summary: fmt.Sprintf("there is no block %q", kind),
		Fix:     suggest(kind, b.spec.blockNames()),
	}
	if b.spec.kind != "" {
		p.Summary = fmt.Sprintf("%s has no block %q", b.title, kind)
	}
	if a, ok := b.spec.attr(kind); ok {
		p.Fix = fmt.Sprintf("%s is an attribute: write %s", kind, a.sample())
	} else if b.spec.free {
		p.Fix = fmt.Sprintf("remove it, or write %s = …; here stand attributes only", kind)
	} else if len(b.spec.blocks) == 0 {
		p.Fix = fmt.Sprintf("remove it; %s holds attributes only: %s", b.spec.kind, strings.Join(b.spec.attrNames(), ", "))
	}
	b.d.report(p)
}

func (b *block) checkLabels(spec blockSpec, raw *hclsyntax.Block) {
	want := 0
	if spec.named {
		want = 1
	}
	if len(raw.Labels) == want {
		return
	}
	b.d.incomplete = true
	at := raw.TypeRange
	summary := fmt.Sprintf("%s needs a name", spec.kind)
	if len(raw.Labels) > want {
		at = raw.LabelRanges[want]
		summary = fmt.Sprintf("%s takes one name only", spec.kind)
		if want == 0 {
			summary = fmt.Sprintf("%s takes no name", spec.kind)
		}
	}
	b.d.report(diag.Problem{
		Code: CodeBlockName, At: rangeOf(at).Ptr(), Summary: summary,
		Fix: fmt.Sprintf("write %s { … }", spec.header()),
	})
}

func (b *block) missing() {
	if b.scope.broken {
		return
	}
	for _, a := range b.spec.attrs {
		if _, ok := b.attrs[a.name]; a.required && !ok && !b.meant[a.name] {
			b.reportMissing(a, b.where.Block)
		}
	}
}

func (b *block) reportMissing(a attrSpec, at diag.Range) {
	b.d.report(diag.Problem{
		Code: CodeMissingAttribute, At: &at,
		Summary: fmt.Sprintf("%s lacks %s", b.title, a.name),
		Fix:     "add " + a.sample(),
	})
}

// each opens the blocks within b. A block that may occur once is given with
// first = false when it occurs again: its own mistakes are still told.
func (b *block) each(seen map[string]diag.Range, do func(inner *block, first bool)) {
	for _, raw := range b.raw {
		spec, _ := b.spec.block(raw.Type)
		inner := b.d.open(spec, raw, b.scope)
		before, again := seen[raw.Type]
		if again && !spec.several {
			inner.again(before)
		} else {
			seen[raw.Type] = inner.where.Block
		}
		do(inner, !again || spec.several)
	}
}

// take opens b's blocks of one kind and takes them out, so that they can be
// read before all others.
func (b *block) take(kind string, do func(inner *block)) {
	var rest hcl.Blocks
	for _, raw := range b.raw {
		if raw.Type != kind {
			rest = append(rest, raw)
			continue
		}
		spec, _ := b.spec.block(kind)
		do(b.d.open(spec, raw, b.scope))
	}
	b.raw = rest
}

// withVariables is b with other variables to refer to.
func (b *block) withVariables(vars map[string]cty.Value) *block {
	other := *b
	other.scope.eval = &hcl.EvalContext{Functions: b.scope.eval.Functions, Variables: vars}
	return &other
}

func (b *block) again(before diag.Range) {
	p := diag.Problem{
		Code: CodeDuplicateBlock, At: &b.where.Block,
		Summary: fmt.Sprintf("%s occurs again", b.spec.kind),
		Detail:  fmt.Sprintf("The first one is at %s.", before),
		Fix:     "move what it says into the first one",
	}
	if b.spec.kind == clusterSpec.kind {
		p.Code, p.Summary = CodeSeveralClusters, "an inventory describes one cluster, this is another"
		p.Fix = "keep one cluster block; give each cluster an inventory of its own"
	}
	b.d.report(p)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
