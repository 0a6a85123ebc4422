package desired

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// Former is the Node that a machine was before whose name another is to have.
type Former struct {
	UID string // empty when it is gone already
	// Gone must be done before there is a Node of that name again.
	Gone []plan.ID
}

// removeFormerNode takes the Node away that is of the machine before: with it go its
// pods, and what that machine's kubelet has said of itself.
func (b *builder) removeFormerNode(j *Joiner, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: formerNodeID(j.Name), Needs: needs,
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			there, err := isFormerNode(ctx, seen.Cluster, j.Name, j.FormerNode)
			if !there || err != nil {
				return nil, err
			}
			return plan.State{"node": "of the machine before"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			there, err := isFormerNode(ctx, w.Cluster, j.Name, j.FormerNode)
			if !there || err != nil {
				return err
			}
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			return api.Delete(ctx, kube.Ref{Key: kube.Key{Kind: "Node", Name: j.Name}, Version: "v1"})
		},
	}
}

// isFormerNode reports whether a Node still is that of the machine before.
func isFormerNode(ctx context.Context, access *cluster.Access, name, uid string) (bool, error) {
	api, err := access.API(ctx)
	if err != nil {
		return false, err
	}
	nodes, err := api.NodeStates(ctx)
	for _, n := range nodes {
		if n.Name == name && n.UID == uid {
			return true, err
		}
	}
	return false, err
}

// formerNodes is nil when no Node is that of a machine before any more.
func (b *builder) formerNodes(ctx context.Context, access *cluster.Access) error {
	for _, name := range slices.Sorted(maps.Keys(b.Former)) {
		former, err := isFormerNode(ctx, access, name, b.Former[name].UID)
		if err == nil && former {
			err = fmt.Errorf("%s is the machine before", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// anew has a step that makes a Node see none while it is the former one's.
func anew(s resource.Step, name string, f Former) resource.Step {
	s.Needs = slices.Concat(s.Needs, f.Gone)
	look := s.Look
	s.Look = func(ctx context.Context, seen resource.Seen) (plan.State, error) {
		former, err := isFormerNode(ctx, seen.Cluster, name, f.UID)
		if former || err != nil {
			return nil, err
		}
		return look(ctx, seen)
	}
	return s
}
