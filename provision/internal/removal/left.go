package removal

import (
	"context"
	"errors"
	"fmt"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/voting"
	"github.com/droverctl/drover/provision/plan"
)

// Leaving is one node that a run takes out of service, as far as it tells in what state a
// run leaves it that has not come to its end.
type Leaving struct {
	Name string
	// Done is the last of it, and Takes are what takes something off the node: as long as
	// nothing of that has begun, it can be let serve again.
	Done  plan.ID
	Takes []plan.ID
	// Same reports whether a Node that there is is the one that is meant.
	Same func(kube.NodeUse) bool
}

// Leaving is the node's.
func (n Node) Leaving() Leaving {
	l := Leaving{Name: n.Name, Done: id("node", n.Name), Same: n.same}
	if n.Former != nil {
		l.Done = id("former-node", n.Name)
	}
	l.Takes = []plan.ID{l.Done, plan.NewID(n.On(), "reset", "drover"), plan.NewID(n.Name, "control-plane", "stopped")}
	if n.Member != nil {
		l.Takes = append(l.Takes, voting.RemovalID(n.Name, n.Member.ID))
	}
	return l
}

// Emptying is that of a node that is only drained: nothing is taken off it.
func Emptying(node string) Leaving {
	return Leaving{Name: node, Done: drainID(node), Same: func(use kube.NodeUse) bool { return use.Exists }}
}

// Left is how a node is left: what keeps it from serving, in words.
type Left struct {
	Exists bool
	Kept   []string
}

// Look tells how the node is left.
func (l Leaving) Look(ctx context.Context, access *cluster.Access) (Left, error) {
	api, err := access.API(ctx)
	if err != nil {
		return Left{}, err
	}
	use, err := api.Use(ctx, l.Name)
	if err != nil || !l.Same(use) {
		return Left{}, err
	}
	by, err := api.ExcludedByUs(ctx, l.Name)
	left := Left{Exists: true}
	if use.Cordoned {
		left.Kept = append(left.Kept, "cordoned")
	}
	if by {
		left.Kept = append(left.Kept, "kept from service addresses")
	}
	return left, err
}

// Reopen lets pods and service addresses on a node again, and sees that it is so.
func Reopen(ctx context.Context, access *cluster.Access, node string) error {
	api, err := access.API(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(api.Cordon(ctx, node, false), api.Include(ctx, node)); err != nil {
		return err
	}
	use, err := api.Use(ctx, node)
	if err == nil && use.Cordoned {
		err = fmt.Errorf("%s is cordoned again by somebody else", node)
	}
	return err
}

// stuck is the error of a node that could not be drained, with how it is left.
func stuck(ctx context.Context, access *cluster.Access, node string, chosen IfStuck, err error) error {
	undo := fmt.Sprintf("`drover node uncordon %s` lets pods on it again, the same command goes on", node)
	if chosen != LeftSchedulable {
		return fmt.Errorf("%w; %s is left cordoned: %s", err, node, undo)
	}
	if why := Reopen(ctx, access, node); why != nil {
		return fmt.Errorf("%w; %s could not be made schedulable (%w): %s", err, node, why, undo)
	}
	return fmt.Errorf("%w; %s is left schedulable", err, node)
}
