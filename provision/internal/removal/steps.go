package removal

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// IfStuck is what becomes of a node that could not be drained.
type IfStuck string

// It stays cordoned, or takes pods again.
const (
	LeftCordoned    IfStuck = "cordoned"
	LeftSchedulable IfStuck = "schedulable"
)

// Drain is how nodes are drained.
type Drain struct {
	kube.Drain
	Limit   time.Duration
	IfStuck IfStuck
	// Settle waits until what was moved is as well elsewhere as it was: the next node
	// is not drained before.
	Settle bool
}

func id(kind, node string) plan.ID { return plan.NewID(plan.ClusterHost, kind, node) }

// Cordon keeps new pods off a node, or lets them on it again.
func Cordon(node string, yes bool, needs ...plan.ID) resource.Step {
	words := map[bool]string{true: "no", false: "yes"}
	return resource.Step{
		ID: id("cordon", node), Needs: needs, Want: plan.State{"schedulable": words[yes]},
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			use, err := useOf(ctx, seen.Cluster, node)
			if err != nil {
				return nil, err
			}
			return plan.State{"schedulable": words[use.Cordoned]}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			return api.Cordon(ctx, node, yes)
		},
	}
}

// cordonToLeave is the cordon of a node that is to go, which tells so.
func cordonToLeave(node string, needs ...plan.ID) resource.Step {
	s := Cordon(node, true, needs...)
	s.Perform = func(ctx context.Context, w resource.World, _ plan.Change) error {
		api, err := w.Cluster.API(ctx)
		if err != nil {
			return err
		}
		return api.CordonToLeave(ctx, node)
	}
	return s
}

// withdrawing is within what time Calico has told its peers of a node that is excluded.
// Where nobody can look, nothing better is known: a host that is reset before that
// has a BIG-IP keep its routes for as long as graceful restart lets it.
const withdrawing = 10 * time.Second

// Exclude takes a node out of the paths to the service addresses; blind says that
// there is who cannot be asked whether that has come to pass.
func Exclude(node string, blind bool, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: id("exclude", node), Needs: needs, Want: plan.State{"announces services": "no"},
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			use, err := useOf(ctx, seen.Cluster, node)
			if err != nil {
				return nil, err
			}
			return plan.State{"announces services": map[bool]string{true: "no", false: "yes"}[use.Unserving]}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			if err := api.Exclude(ctx, node); err != nil || !blind {
				return err
			}
			told := time.NewTimer(withdrawing)
			defer told.Stop()
			select {
			case <-told.C:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
	}
}

// Include takes an exclusion back that a removal has left.
func Include(node string) resource.Step {
	return resource.Step{
		ID: id("include", node), Want: plan.State{"kept from services by drover": "no"},
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			api, err := seen.Cluster.API(ctx)
			if err != nil {
				return nil, err
			}
			by, err := api.ExcludedByUs(ctx, node)
			if err != nil {
				return nil, err
			}
			return plan.State{"kept from services by drover": map[bool]string{true: "yes", false: "no"}[by]}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			return api.Include(ctx, node)
		},
	}
}

func useOf(ctx context.Context, access *cluster.Access, node string) (kube.NodeUse, error) {
	api, err := access.API(ctx)
	if err != nil {
		return kube.NodeUse{}, err
	}
	return api.Use(ctx, node)
}

// drainID is that of a drain.
func drainID(node string) plan.ID { return id("drain", node) }

// Drained takes the pods off a node, one node after the other. The plan names them: who
// agrees to it has read who moves. Those of a dead node go without being asked; dead is
// one that the cluster does not hear of, and its machine does not say to live.
func Drained(node string, lives Lives, d Drain, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: drainID(node), Needs: needs, Want: plan.State{"pods": "none"}, Condition: true, Serial: "drain",
		Passive: true, // most of it is waiting, and a stop cuts nothing in two
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			api, err := seen.Cluster.API(ctx)
			if err != nil {
				return nil, err
			}
			pods, err := api.Leaving(ctx, node)
			if err != nil {
				return nil, err
			}
			use, err := api.Use(ctx, node)
			if err != nil {
				return nil, err
			}
			return drainState(pods, use), nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			err := d.perform(ctx, w, node, lifeOn(w, node, lives))
			if err == nil {
				return nil
			}
			return stuck(context.WithoutCancel(ctx), w.Cluster, node, d.IfStuck, err)
		},
	}
}

// drainState is what there is to drain. A node that pods may still come to is not drained
// however empty it is: those that come while the operator thinks must go as well.
func drainState(pods []corev1.Pod, use kube.NodeUse) plan.State {
	switch {
	case len(pods) > 0:
		return plan.State{"pods": names(pods)}
	case !use.Cordoned:
		return plan.State{"pods": "none now, and it takes more"}
	}
	return plan.State{"pods": "none"}
}

// drained makes sure that no pod is on a node whose host is to be wiped. What came since
// the drain, by a scheduler that had not heard of the cordon or past it, was asked nothing.
func drained(ctx context.Context, access *cluster.Access, node string) error {
	api, err := access.API(ctx)
	if err != nil {
		return err
	}
	pods, err := api.Leaving(ctx, node)
	if err == nil && len(pods) > 0 {
		err = fmt.Errorf("the host is not reset, as these pods have come to %s since it was drained: %s; the same command drains it again", node, names(pods))
	}
	return err
}

func (d Drain) perform(ctx context.Context, w resource.World, node string, life func(context.Context) (sign, error)) error {
	api, err := w.Cluster.API(ctx)
	if err != nil {
		return err
	}
	pods, err := api.Leaving(ctx, node)
	if err != nil {
		return err
	}
	how, why := d.Drain, ""
	if len(pods) > 0 {
		// Only now, and once: who was asked to go is not taken for dead while he does.
		if how.Dead, why, err = dead(ctx, node, life, w.Waiting); err != nil {
			return err
		}
	}
	before, err := api.Standing(ctx, node)
	if err != nil {
		return err
	}
	err = wait.For(ctx, wait.Condition{
		What: "the pods on " + node + " to go", Limit: d.Limit, Every: time.Second,
		Check: func(ctx context.Context) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			err = api.Drain(ctx, node, how)
			if held := (*kube.HeldBackError)(nil); errors.As(err, &held) {
				return wait.Permanent(err)
			}
			return err
		},
	}, w.Waiting)
	if err != nil && why != "" && why != heardOf {
		return fmt.Errorf("%w; %s", err, why)
	}
	if err != nil || !d.Settle {
		return err
	}
	return wait.For(ctx, wait.Condition{
		What: "what was moved off " + node + " to be as well as before", Limit: d.Limit, Every: time.Second,
		Check: func(ctx context.Context) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			return api.AsBefore(ctx, before)
		},
	}, w.Waiting)
}

// mostNamed is how many pods a plan names.
const mostNamed = 8

func names(pods []corev1.Pod) string {
	text := ""
	for i, p := range pods[:min(len(pods), mostNamed)] {
		if i > 0 {
			text += ", "
		}
		text += p.Namespace + "/" + p.Name
	}
	if more := len(pods) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
