package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"runtime"

	"golang.org/x/mod/modfile"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/gotool"
)

// recipe says how one set is made. It is data as far as it can be; only what
// turns programs into release files is a function.
type recipe struct {
	name    string
	version string // without a leading v
	// revision is raised when pack or keep change in a way that changes the result:
	// nothing else in the key would tell.
	revision int
	module   *module
	builds   []gotool.Build
	needs    []string // sets whose files this one is made from
	commands []string // what it calls besides go
	apt      []string // the Debian packages that bring those
	space    int64    // bytes it takes at its peak, build cache included
	releases []release
	images   []string // names with registry and tag
	keep     []string // programs that sets which need this one are made from, or tests run
	pack     func(ctx context.Context, w *work) error
}

// module is a pinned tool module.
type module struct {
	Mod     []byte            `json:"mod"`
	Sum     []byte            `json:"sum"`
	Sources map[string][]byte `json:"sources,omitempty"` // our own programs
}

// release is one file of an upstream release.
type release struct {
	Component string `json:"component"`
	Path      string `json:"path"`
	// Sums is where upstream publishes its digest, under the mirror's root.
	Sums string `json:"sums,omitempty"`
	// Pinned is the digest of upstream's own file. A file compiled here has
	// another one, so it counts for downloads only.
	Pinned string `json:"pinned,omitempty"`
}

// inputs is all that the result of a recipe depends on.
type inputs struct {
	Name, Version string
	Revision      int
	Arch          string
	Go            string
	GoRevision    int
	Module        *module
	Builds        []gotool.Build
	Needs         []string
	Releases      []release
	Images        []string
	Download      bool
}

// key names the result of r: equal inputs, equal key. needs are the keys of
// the sets it needs, in the order r names them.
func (r recipe) key(goVersion string, needs []string, download bool) (string, error) {
	in := inputs{
		Name: r.name, Version: r.version, Revision: r.revision, Arch: runtime.GOARCH,
		Releases: r.releases, Images: r.images, Download: download,
	}
	if !download {
		in.Module, in.Builds, in.Needs = r.module, r.builds, needs
		if r.module != nil {
			in.Go, in.GoRevision = goVersion, gotool.Revision
		}
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("key of %s: %w", r.name, err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// readModule reads NAME.mod and NAME.sum; a module without requirements has no sums.
func readModule(files fs.FS, name string) (*module, error) {
	mod, err := fs.ReadFile(files, "components/"+name+".mod")
	if err != nil {
		return nil, fmt.Errorf("component module %s: %w", name, err)
	}
	m := &module{Mod: mod}
	if sum, err := fs.ReadFile(files, "components/"+name+".sum"); err == nil {
		m.Sum = sum
	}
	return m, nil
}

// requires is the version of a module that m requires: the one place where a
// component's version is written down.
func (m *module) requires(path string) (string, error) {
	f, err := modfile.ParseLax("go.mod", m.Mod, nil)
	if err != nil {
		return "", fmt.Errorf("component module: %w", err)
	}
	for _, r := range f.Require {
		if r.Mod.Path == path {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("component module %s does not require %s", f.Module.Mod.Path, path)
}
