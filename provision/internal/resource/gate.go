package resource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// Gate is a condition the cluster must meet before what needs it goes on: a
// quorum, an API that answers, nodes that are ready. It changes nothing.
type Gate struct {
	Name  string
	What  string // what is waited for, in words
	Limit time.Duration
	Needs []plan.ID
	Check func(ctx context.Context, c *cluster.Access) error
	// Explain is the evidence when it is not met; may be nil.
	Explain func(ctx context.Context, w World) string
}

// GateID is the ID of a gate.
func GateID(name string) plan.ID { return plan.NewID(plan.ClusterHost, "ready", name) }

// Item is the condition, met.
func (g Gate) Item() plan.Item {
	return plan.Item{ID: GateID(g.Name), Needs: g.Needs, Want: plan.State{"met": "yes"}, Condition: true}
}

// Scope is nothing on a host.
func (g Gate) Scope() facts.Scope { return facts.Scope{} }

// checkLimit bounds one look at a condition.
const checkLimit = 15 * time.Second

// Observe tells whether the condition is met, and if not, why.
func (g Gate) Observe(ctx context.Context, seen Seen) (plan.State, error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	err := g.Check(ctx, seen.Cluster)
	switch {
	case errors.Is(err, cluster.ErrNoCluster):
		return plan.Unknown(), nil
	case err != nil:
		return plan.State{"met": err.Error()}, nil //nolint:nilerr // why not is the observation
	}
	return plan.State{"met": "yes"}, nil
}

// Apply waits until the condition is met.
func (g Gate) Apply(ctx context.Context, w World, _ plan.Change) error {
	return wait.For(ctx, wait.Condition{
		What: g.What, Limit: g.Limit, Every: 300 * time.Millisecond,
		Check: func(ctx context.Context) error { return g.Check(ctx, w.Cluster) },
	}, w.Waiting)
}

// Evidence is why it is not met.
func (g Gate) Evidence(ctx context.Context, w World) string { return explain(ctx, w, g.Explain) }

func explain(ctx context.Context, w World, how func(context.Context, World) string) string {
	if how == nil {
		return ""
	}
	return how(ctx, w)
}

// Step is a deed in the cluster that is neither a file nor an object: what it
// takes for a kubelet to join, a BIG-IP to learn its neighbours.
type Step struct {
	ID    plan.ID
	Needs []plan.ID
	Want  plan.State
	// Content, Condition and Serial are the item's.
	Content   string
	Condition bool
	Serial    string
	// Passive says that performing it only waits for somebody else.
	Passive bool
	See     facts.Scope
	Look    func(ctx context.Context, seen Seen) (plan.State, error)
	Perform func(ctx context.Context, w World, c plan.Change) error
	// Explain is the evidence when it fails; may be nil.
	Explain func(ctx context.Context, w World) string
}

// Item is the step's outcome.
func (s Step) Item() plan.Item {
	return plan.Item{ID: s.ID, Needs: s.Needs, Want: s.Want, Content: s.Content, Condition: s.Condition, Serial: s.Serial}
}

// Scope is what Look needs to see of the host.
func (s Step) Scope() facts.Scope { return s.See }

// ChangesNothing reports whether the step leaves its host as it is.
func (s Step) ChangesNothing() bool { return s.Passive }

// Observe tells how things are; nothing can be told before there is a cluster.
func (s Step) Observe(ctx context.Context, seen Seen) (plan.State, error) {
	state, err := s.Look(ctx, seen)
	if errors.Is(err, cluster.ErrNoCluster) {
		return plan.Unknown(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.ID, err)
	}
	return state, nil
}

// Apply performs the step.
func (s Step) Apply(ctx context.Context, w World, c plan.Change) error { return s.Perform(ctx, w, c) }

// Evidence is why it failed.
func (s Step) Evidence(ctx context.Context, w World) string { return explain(ctx, w, s.Explain) }
