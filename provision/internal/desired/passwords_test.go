package desired

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/kube"
)

// objects are those that an API holds, by their keys.
type objects map[string]*unstructured.Unstructured

func (o objects) Get(_ context.Context, ref kube.Ref) (*unstructured.Unstructured, error) {
	return o[ref.Key.String()], nil
}

func passwordSecret(data map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"namespace": "kube-system", "name": "drover-bgp"}, "data": data,
	}}
}

// A BIG-IP whose block is missing from the inventory keeps its password while Calico has a
// session with it: all hosts would lose that.
func TestThePasswordOfABigIPThatIsNotNamedStays(t *testing.T) {
	named := []inventory.BigIP{{Name: "f5-a"}, {Name: "f5-d"}}
	want := passwordSecret(map[string]any{"f5-a": "bmV3"})
	there := objects{
		"Secret kube-system/drover-bgp": passwordSecret(map[string]any{"f5-a": "b2xk", "f5-b": "Yg==", "f5-c": "Yw==", "f5-d": "ZA=="}),
		"BGPPeer drover-f5-a":           {}, "BGPPeer drover-f5-b": {}, "BGPPeer drover-f5-d": {},
	}
	got, err := withKeptPasswords(t.Context(), there, want, named)
	if err != nil {
		t.Fatal(err)
	}
	// f5-c has no session any more, and the inventory says of f5-d that it has no password.
	if d := cmp.Diff(map[string]any{"f5-a": "bmV3", "f5-b": "Yg=="}, got.Object["data"]); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if len(want.Object["data"].(map[string]any)) != 1 {
		t.Error("what is wanted was changed itself")
	}
	if got, err := withKeptPasswords(t.Context(), objects{}, want, named); err != nil || got != want {
		t.Errorf("without a Secret there: %v, %v", got, err)
	}
}
