package desired

import (
	"context"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// removeFormerNode takes the Node away that is of the machine before: with it go its
// pods, and what that machine's kubelet has said of itself.
func (b *builder) removeFormerNode(j *Joiner, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: formerNodeID(j.Name), Needs: needs,
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			there, err := isFormerNode(ctx, seen.Cluster, j)
			if !there || err != nil {
				return nil, err
			}
			return plan.State{"node": "of the machine before"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			there, err := isFormerNode(ctx, w.Cluster, j)
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

// isFormerNode reports whether a joiner's Node still is that of the machine before.
func isFormerNode(ctx context.Context, access *cluster.Access, j *Joiner) (bool, error) {
	api, err := access.API(ctx)
	if err != nil {
		return false, err
	}
	nodes, err := api.NodeStates(ctx)
	for _, n := range nodes {
		if n.Name == j.Name && n.UID == j.FormerNode {
			return true, err
		}
	}
	return false, err
}

// anew has a step that makes a joiner's Node see none while it is the former one's.
func anew(s resource.Step, j *Joiner) resource.Step {
	s.Needs = append(s.Needs, formerNodeID(j.Name))
	look := s.Look
	s.Look = func(ctx context.Context, seen resource.Seen) (plan.State, error) {
		former, err := isFormerNode(ctx, seen.Cluster, j)
		if former || err != nil {
			return nil, err
		}
		return look(ctx, seen)
	}
	return s
}
