package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// lookAgainLimit is how long the cluster may take to say what became of a change: on a
// slow disk etcd, and with it every API server, is unready for seconds now and then.
const lookAgainLimit = 30 * time.Second

// lookAgain looks at what was changed. A host that cannot be looked at is lost; the
// cluster may answer a moment later.
func (r *run) lookAgain(res resource.Resource, id plan.ID, waiting func(string)) (have plan.State, err error) {
	if id.Host() != plan.ClusterHost {
		return r.observe(r.work, res, id)
	}
	err = wait.For(r.work, wait.Condition{
		What: "the cluster to tell of it", Limit: lookAgainLimit,
		Check: func(ctx context.Context) (err error) {
			have, err = r.observe(ctx, res, id)
			return err
		},
	}, waiting)
	return have, err
}

func lookError(err error) error {
	return fmt.Errorf("it was changed, but looking again failed: %w", err)
}

// became tells whether what is seen after a change is what was wanted.
func became(c plan.Change, have plan.State, err error) error {
	if err != nil {
		return lookError(err)
	}
	if !have.Equal(c.Want) {
		again, err := plan.Diff("", []plan.Item{{ID: c.ID, Want: c.Want}}, map[plan.ID]plan.State{c.ID: have})
		if err != nil {
			return err
		}
		return fmt.Errorf("it was changed, but did not become as wanted: %s", again.Changes[0].Reason)
	}
	return nil
}

// observe looks at one thing anew.
func (r *run) observe(ctx context.Context, res resource.Resource, id plan.ID) (plan.State, error) {
	seen := resource.Seen{Cluster: r.World.Cluster}
	if name := id.Host(); name != plan.ClusterHost {
		snap, err := r.Look(ctx, name, res.Scope())
		if err != nil {
			return nil, err
		}
		seen.Hosts = map[string]facts.Snapshot{name: snap}
	}
	return res.Observe(ctx, seen)
}
