package desired

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/calico"
)

// Renderings remembers what was rendered, by what it was rendered from. A thousand
// hosts hold much the same files, and what is wanted is computed twice in a run:
// each content is rendered, digested and held once. The zero value is ready; it is
// not for several goroutines.
type Renderings struct {
	files   map[string][]rendering
	release []*unstructured.Unstructured // Calico's, as it is to be
}

// rendering is a file and its digest.
type rendering struct {
	manifests.File
	digest string
}

// all are the files rendered from a value.
func (r *Renderings) all(from any, render func() ([]manifests.File, error)) ([]rendering, error) {
	// Printed, with its type and its maps sorted: it tells one value from all others.
	key := fmt.Sprintf("%T %+v", from, from)
	if have, ok := r.files[key]; ok {
		return have, nil
	}
	files, err := render()
	if err != nil {
		return nil, err
	}
	out := make([]rendering, len(files))
	for i, f := range files {
		out[i] = rendering{f, digest(f.Content)}
	}
	if r.files == nil {
		r.files = map[string][]rendering{}
	}
	r.files[key] = out
	return out, nil
}

// one is the only file rendered from a value.
func (r *Renderings) one(from any, render func() (manifests.File, error)) (rendering, error) {
	files, err := r.all(from, func() ([]manifests.File, error) {
		f, err := render()
		return []manifests.File{f}, err
	})
	if err != nil {
		return rendering{}, err
	}
	return files[0], nil
}

// calico is Calico's release, patched. It is the same in all of a run.
func (r *Renderings) calico(manifest []byte, o calico.Options) (_ []*unstructured.Unstructured, err error) {
	if r.release == nil {
		r.release, err = calico.Patch(manifest, o)
	}
	return r.release, err
}
