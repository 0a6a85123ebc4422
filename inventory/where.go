package inventory

import (
	"fmt"

	"github.com/droverctl/drover/inventory/diag"
)

// Where knows where a block and its values were written. Positions are kept
// beside the values, not around them, because a thousand readers want a value
// for each one that wants its place.
type Where struct {
	Block diag.Range            // the block's header; the cluster's when the whole block is defaults
	Attrs map[string]diag.Range // what was written: "address", "name" (the label), "masters[1]", "labels.tier"
}

// At is the place of an attribute's value, or of the block when the value is
// a default.
func (w Where) At(attr string) diag.Range {
	if r, ok := w.Attrs[attr]; ok {
		return r
	}
	return w.Block
}

// AtElement is the place of one element of a list.
func (w Where) AtElement(attr string, i int) diag.Range {
	if r, ok := w.Attrs[element(attr, i)]; ok {
		return r
	}
	return w.At(attr)
}

// AtKey is the place of one value of a map.
func (w Where) AtKey(attr, key string) diag.Range {
	if r, ok := w.Attrs[member(attr, key)]; ok {
		return r
	}
	return w.At(attr)
}

// Written says whether the inventory gives the attribute, as against a default.
func (w Where) Written(attr string) bool {
	_, ok := w.Attrs[attr]
	return ok
}

func element(attr string, i int) string { return fmt.Sprintf("%s[%d]", attr, i) }
func member(attr, key string) string    { return attr + "." + key }
