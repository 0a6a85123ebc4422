package provision

import (
	"context"
	"maps"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/lock"
	"github.com/droverctl/drover/provision/plan"
)

// CheckReport is whether a cluster is as its inventory says.
type CheckReport struct {
	Cluster string
	// Plan is what differs: its pending changes.
	Plan plan.Plan
	// Away are hosts that could not be looked at, and why.
	Away map[string]error
	// Unseen is what could not be told of the cluster. It may be as wanted or not.
	Unseen []string
	// Run is a live run that holds the fleet's lock, so that what was seen is about to be
	// another; nil when there is none. Same says that it makes the hosts as this
	// inventory says.
	Run  *LockEntry
	Same bool
}

// InSync reports whether everything was seen, and is as wanted.
func (r CheckReport) InSync() bool {
	return len(r.Away) == 0 && len(r.Unseen) == 0 && len(r.Plan.Pending()) == 0
}

// Check looks at every host, in one round trip each, and compares what is there with
// the inventory. It writes nothing, here or there. Who holds the fleet's lock is asked
// only where something differs, and where the look came upon somebody.
func Check(ctx context.Context, c *inventory.Cluster, o Options) (CheckReport, error) {
	r := CheckReport{Cluster: c.Name}
	s, err := Open(ctx, c, o)
	if err == nil {
		defer s.Close()
		r.Away, r.Unseen = maps.Clone(s.Away), s.Unseen
		r.Plan, err = s.Plan(ctx)
	}
	if ctx.Err() != nil { // what was seen then may be half of it
		return r, orCause(ctx, err)
	}
	switch {
	case s == nil:
		r.active(ShowLock(ctx, c, o).State, c)
	case err != nil || !r.InSync() || s.heldAtLook():
		r.active(s.fleet(0).Show(ctx), c)
	}
	if ctx.Err() != nil {
		return r, orCause(ctx, err)
	}
	if err != nil && r.Run != nil { // half-way is no state to judge
		err = nil
		if !r.Same {
			err = &LockBusyError{Entry: *r.Run}
		}
	}
	return r, err
}

// orCause is an error, or why ctx ended.
func orCause(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return context.Cause(ctx)
}

// active notes who holds the lock, if that run is alive.
func (r *CheckReport) active(s lock.State, c *inventory.Cluster) {
	if !s.Held || s.Entry.Dead() {
		return
	}
	r.Run = &s.Entry
	r.Same = s.Entry.Inventory != "" && s.Entry.Inventory == digestOf(c)
}

// heldAtLook reports whether masters had a claim of the fleet's lock that was not given
// back, when they were looked at.
func (s *Session) heldAtLook() bool { return lock.See(s.claims()...).Held }
