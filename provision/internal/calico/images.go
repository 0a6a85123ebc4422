package calico

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Images are the references the manifest's workloads pull, sorted, each once:
// what a mirror must hold.
func Images(objs []*unstructured.Unstructured) []string {
	var out []string
	eachImage(objs, func(ref string) string {
		out = append(out, ref)
		return ref
	})
	slices.Sort(out)
	return slices.Compact(out)
}

func (p *patcher) images(registry string) {
	if registry == "" {
		return
	}
	n := 0
	eachImage(p.objs, func(ref string) string {
		n++
		return strings.TrimSuffix(registry, "/") + "/" + path(ref)
	})
	if n == 0 {
		p.fail("no workload in it has an image")
	}
}

// path is a reference without its registry. The first part is one when it
// looks like a host, which is how every container runtime tells.
func path(ref string) string {
	first, rest, ok := strings.Cut(ref, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return rest
	}
	return ref
}

func eachImage(objs []*unstructured.Unstructured, change func(ref string) string) {
	for _, obj := range objs {
		for _, field := range []string{"initContainers", "containers"} {
			at := []string{"spec", "template", "spec", field}
			list, ok, err := unstructured.NestedFieldNoCopy(obj.Object, at...)
			if !ok || err != nil {
				continue
			}
			containers, _ := list.([]any)
			for _, c := range containers {
				if c, ok := c.(map[string]any); ok {
					// Who only looks must not write: hosts look at the same objects at once.
					if ref, ok := c["image"].(string); ok {
						if other := change(ref); other != ref {
							c["image"] = other
						}
					}
				}
			}
		}
	}
}
