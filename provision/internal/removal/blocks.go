package removal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/droverctl/drover/provision/internal/calico"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// releaseLimit is how long Calico may take to give a node's blocks back: what it
// missed it finds on its round, every five minutes.
const releaseLimit = 7 * time.Minute

// blocksGone waits for Calico to give the node's address blocks back, as its
// controllers do for nodes that are gone: they alone know whether an address in
// them is still somebody's.
func blocksGone(name string, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: id("blocks", name), Needs: needs, Want: nil, Condition: true, Passive: true,
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			api, err := seen.Cluster.API(ctx)
			if err != nil {
				return nil, err
			}
			held, err := Affinities(ctx, api)
			if err != nil || len(held[name]) == 0 {
				return nil, err
			}
			return plan.State{"blocks": strings.Join(held[name], ", ")}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			return wait.For(ctx, wait.Condition{
				What: "Calico's controllers to give back the address blocks of " + name, Limit: releaseLimit, Every: time.Second,
				Check: func(ctx context.Context) error {
					api, err := w.Cluster.API(ctx)
					if err != nil {
						return err
					}
					held, err := Affinities(ctx, api)
					if err == nil && len(held[name]) > 0 {
						err = fmt.Errorf("it has %s", strings.Join(held[name], ", "))
					}
					return err
				},
			}, w.Waiting)
		},
	}
}

// Affinities are the address blocks of each node, whatever their state, by its name.
func Affinities(ctx context.Context, api *kube.Client) (map[string][]string, error) {
	list, err := api.List(ctx, schema.GroupKind{Group: calico.Group, Kind: "BlockAffinity"})
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, a := range list {
		node, _, _ := unstructured.NestedString(a.Object, "spec", "node")
		cidr, _, _ := unstructured.NestedString(a.Object, "spec", "cidr")
		out[node] = append(out[node], cidr)
	}
	return out, nil
}
