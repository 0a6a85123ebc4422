package engine

import (
	"fmt"

	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// disturbs tells whether somebody is served by what is changed.
func (r *run) disturbs(c plan.Change) bool {
	if c.Action == plan.Create {
		return false
	}
	guarded, ok := r.Resources[c.ID].(resource.Guarded)
	return !ok || !guarded.Idle(c.Before)
}

// mayDisturb asks what must not be disturbed at every moment whether it may be now.
func (r *run) mayDisturb(c plan.Change) error {
	if !r.disturbs(c) {
		return nil
	}
	r.mu.Lock()
	err := r.halted[c.Serial]
	r.mu.Unlock()
	if guarded, ok := r.Resources[c.ID].(resource.Guarded); ok && err == nil {
		err = guarded.Spared(r.ctx, r.World)
	}
	return err
}

// stopBehind sees to it that after a failure nothing more is done on the host, and
// that what is disturbed in one place after the other is in no further place.
func (r *run) stopBehind(c plan.Change, err error) {
	if c.ID.Host() == plan.ClusterHost || r.passive(c.ID) {
		return // no machine, or nothing of it: what depends on it is skipped, nothing else
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken[c.ID.Host()] == nil {
		r.broken[c.ID.Host()] = fmt.Errorf("%s failed on this host: %w", c.ID.What(), err)
	}
	if c.Serial != "" && r.disturbs(c) && r.halted[c.Serial] == nil {
		r.halted[c.Serial] = fmt.Errorf("%s failed, and is not done in a second place", c.ID)
	}
}
