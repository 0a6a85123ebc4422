package calico

import (
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Many hosts ask for the images of the same objects at once; a map that is written to
// meanwhile would end the program.
func TestImagesAreLookedUpFromManyPlacesAtOnce(t *testing.T) {
	objs := []*unstructured.Unstructured{{Object: map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"containers": []any{map[string]any{"image": "a"}, map[string]any{"image": "b"}},
	}}}}}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20000 {
				if got := Images(objs); len(got) != 2 {
					t.Errorf("got %v", got)
				}
			}
		})
	}
	all.Wait()
}
