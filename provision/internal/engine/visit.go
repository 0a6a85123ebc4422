package engine

import (
	"context"
	"sync/atomic"

	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// visit is what a run does on one host, from its first change to its last.
type visit struct {
	left    atomic.Int32  // changes that have yet to end
	entered atomic.Bool   // somebody has called Enter
	known   chan struct{} // closed when err is what that said
	err     error
}

// expect counts a change as one of its host's. What only waits for somebody else is
// none: it would keep the host for that long.
func (r *run) expect(id plan.ID) {
	if id.Host() == plan.ClusterHost || r.passive(id) {
		return
	}
	v := r.visits[id.Host()]
	if v == nil {
		v = &visit{known: make(chan struct{})}
		r.visits[id.Host()] = v
	}
	v.left.Add(1)
}

// visiting is the visit that a change is of, nil when it is of none.
func (r *run) visiting(id plan.ID) *visit {
	if r.passive(id) {
		return nil
	}
	return r.visits[id.Host()]
}

// enter sees to it that a host is ready to be changed, once: who comes meanwhile waits
// for that. It is part of no change, so a stop ends it.
func (r *run) enter(c plan.Change) error {
	v := r.visiting(c.ID)
	if v == nil || r.Enter == nil {
		return nil
	}
	if v.entered.CompareAndSwap(false, true) {
		v.err = r.Enter(r.ctx, c.ID.Host(), func(text string) {
			r.tell(report.Event{Kind: report.Waiting, ID: c.ID, Action: c.Action, Text: text})
		})
		close(v.known)
	}
	<-v.known
	return v.err
}

// leaveAfter leaves a host after its last change, also when the run was stopped.
func (r *run) leaveAfter(id plan.ID) {
	v := r.visiting(id)
	if v != nil && v.left.Add(-1) == 0 && v.entered.Load() && r.Leave != nil {
		r.Leave(context.WithoutCancel(r.ctx), id.Host())
	}
}
