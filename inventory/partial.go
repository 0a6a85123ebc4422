package inventory

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/droverctl/drover/inventory/diag"
)

// LoadPart reads an inventory of which a part is yet to come: that hosts are missing
// is no mistake. All else is as with Load.
func (o Options) LoadPart(paths ...string) (*Cluster, diag.Problems) {
	d := newDecoder()
	d.part = true
	return d.loadPaths(o, paths)
}

// completes are the codes of what a part that is yet to come may put right.
var completes = []string{CodeNoCluster, CodeNoMasters, CodeUnknownMaster, CodeRouteReflectors, CodeWaiver}

// passOver drops what is no mistake in a part of an inventory.
func (d *decoder) passOver() {
	if d.part {
		d.problems = slices.DeleteFunc(d.problems, func(p diag.Problem) bool { return slices.Contains(completes, p.Code) })
	}
}

// Holds reports whether a file of that name, if there were one, would be part of the
// inventory that paths make up.
func Holds(name string, paths ...string) bool {
	name = filepath.Clean(name)
	for _, p := range paths {
		p = filepath.Clean(p)
		info, err := os.Stat(p)
		if p == name || err == nil && info.IsDir() && filepath.Dir(name) == p && isInventory(filepath.Base(name)) {
			return true
		}
	}
	return false
}

// instead is the text that is read in the place of a file.
func (o Options) instead(name string) (src []byte, ok bool) {
	for other, src := range o.Instead {
		if filepath.Clean(other) == name {
			return src, true
		}
	}
	return nil, false
}

// among is names without the files that are not to be there, and with those that are.
func (o Options) among(names, paths []string) []string {
	var all []string
	for _, name := range names {
		if src, ok := o.instead(name); !ok || src != nil {
			all = append(all, name)
		}
	}
	for _, other := range sortedKeys(o.Instead) {
		name := filepath.Clean(other)
		if o.Instead[other] != nil && !slices.Contains(all, name) && Holds(name, paths...) {
			all = append(all, name)
		}
	}
	return all
}

func (o Options) readFile(name string) ([]byte, error) {
	src, ok := o.instead(name)
	switch {
	case !ok:
		return readFile(name)
	case len(src) > maxFile:
		return nil, tooLarge(name)
	}
	return src, nil
}
