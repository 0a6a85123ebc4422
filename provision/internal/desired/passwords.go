package desired

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/calico"
	"github.com/droverctl/drover/provision/internal/kube"
)

// getter tells how an object is, nil when there is none.
type getter interface {
	Get(ctx context.Context, ref kube.Ref) (*unstructured.Unstructured, error)
}

// withKeptPasswords is the Secret with the BGP passwords, and besides with those of
// BIG-IPs that are not named any more, for as long as Calico has sessions with them: all
// hosts would lose these because a block of the inventory is missing.
func withKeptPasswords(ctx context.Context, api getter, secret *unstructured.Unstructured, named []inventory.BigIP) (*unstructured.Unstructured, error) {
	live, err := api.Get(ctx, kube.Ref{Key: kube.KeyOf(secret), Version: "v1"})
	if live == nil || err != nil {
		return secret, err
	}
	have, _, err := unstructured.NestedMap(live.Object, "data")
	if err != nil {
		return nil, err
	}
	whole := secret.DeepCopy()
	for name, password := range have {
		if slices.ContainsFunc(named, func(f5 inventory.BigIP) bool { return f5.Name == name }) {
			continue
		}
		peer, err := api.Get(ctx, kube.Ref{Key: kube.Key{Group: calico.Group, Kind: calico.PeerKind().Kind, Name: calico.PeerName(name)}, Version: calico.Version})
		if err == nil && peer != nil {
			err = unstructured.SetNestedField(whole.Object, password, "data", name)
		}
		if err != nil {
			return nil, err
		}
	}
	return whole, nil
}
