package inventory

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// What a grammar is made of; grammar.go is the inventory's.

type blockSpec struct {
	kind    string
	named   bool // carries one label: its name
	several bool // may occur more than once
	free    bool // holds attributes of any name
	attrs   []attrSpec
	blocks  []blockSpec
}

type attrSpec struct {
	name     string
	example  string // as written in HCL; every fix shows it
	required bool
	secret   bool // may hold a sensitive value, and is never shown
}

// sample is how the attribute may be written.
func (a attrSpec) sample() string { return a.name + " = " + a.example }

// hcl is the grammar as HCL wants it. Required attributes are left to
// block.missing, whose problem names the block and shows an example.
func (s blockSpec) hcl() *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, a := range s.attrs {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.name})
	}
	for _, b := range s.blocks {
		header := hcl.BlockHeaderSchema{Type: b.kind}
		if b.named {
			header.LabelNames = []string{"name"}
		}
		schema.Blocks = append(schema.Blocks, header)
	}
	return schema
}

func (s blockSpec) attr(name string) (attrSpec, bool) {
	if s.free {
		return attrSpec{name: name, example: "VALUE"}, true
	}
	i := slices.IndexFunc(s.attrs, func(a attrSpec) bool { return a.name == name })
	if i < 0 {
		return attrSpec{}, false
	}
	return s.attrs[i], true
}

// mustAttr is an attribute that the grammar is known to have.
func (s blockSpec) mustAttr(name string) attrSpec {
	a, _ := s.attr(name)
	return a
}

func (s blockSpec) block(kind string) (blockSpec, bool) {
	i := slices.IndexFunc(s.blocks, func(b blockSpec) bool { return b.kind == kind })
	if i < 0 {
		return blockSpec{}, false
	}
	return s.blocks[i], true
}

func (s blockSpec) attrNames() []string {
	names := make([]string, len(s.attrs))
	for i, a := range s.attrs {
		names[i] = a.name
	}
	return names
}

func (s blockSpec) blockNames() []string {
	names := make([]string, len(s.blocks))
	for i, b := range s.blocks {
		names[i] = b.kind
	}
	return names
}

// header is how a block of this kind begins.
func (s blockSpec) header() string {
	if s.named {
		return s.kind + ` "NAME"`
	}
	return s.kind
}
