package lock

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Held is the lock while it is held. Its context ends when it is lost.
type Held struct {
	Epoch uint64
	Claim Claim
	// Fresh reports that nobody held the lock since the look that Request.Seen is of,
	// nor at it: what was seen then is still so.
	Fresh bool

	fleet   Fleet
	masters []Conn
	ctx     context.Context
	cancel  context.CancelCauseFunc
	stop    context.CancelFunc // of the renewal
	ended   chan struct{}      // it has
	once    sync.Once

	mu   sync.Mutex
	good time.Time // when the last renewal began that enough masters confirmed
	lost error     // why it was lost; nil while it was not
}

// hold is what was taken.
func (f Fleet) hold(ctx context.Context, r Request, epoch uint64, won map[string]Conn, began time.Time) *Held {
	h := &Held{
		Epoch: epoch, Claim: r.Claim, Fresh: !r.Seen.Held && epoch == r.Seen.Epoch+1,
		fleet: f, good: began,
	}
	for _, m := range f.Masters {
		if won[m.Name()] != nil {
			h.masters = append(h.masters, m)
		}
	}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	return h
}

// keep begins to renew it. The run may be stopped and still clean up: the lease is
// renewed until it is given back.
func (h *Held) keep(ctx context.Context) {
	renewal, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop, h.ended = stop, make(chan struct{})
	go h.renew(renewal)
}

// Context ends with the one the lock was taken in, and when the lock is lost.
func (h *Held) Context() context.Context { return h.ctx }

// Masters are those that have the claim.
func (h *Held) Masters() []string {
	var names []string
	for _, m := range h.masters {
		names = append(names, m.Name())
	}
	return names
}

// margin is how long before the lease's end nothing may be under way any more.
func (h *Held) margin() time.Duration { return h.fleet.Lease / 20 }

// left is how long something may be written yet. The monotonic clock may stand
// still while a machine sleeps, and the other one may be set: what has passed is
// what the faster of the two says.
func (h *Held) left() time.Duration {
	h.mu.Lock()
	good := h.good
	h.mu.Unlock()
	now := h.fleet.clock.now()
	passed := max(now.Sub(good), now.Round(0).Sub(good.Round(0)))
	return h.fleet.Lease - h.margin() - passed
}

// Check is nil while the lock is held for certain.
func (h *Held) Check() error {
	if h.left() <= 0 {
		h.lose(&LostError{Why: "its lease ended and could not be renewed in time"})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// lose ends it. The run may have been stopped before, for a reason of its own.
func (h *Held) lose(why *LostError) {
	h.mu.Lock()
	if h.lost == nil {
		h.lost = why
	}
	h.mu.Unlock()
	h.cancel(why)
}

// Permit is a context for one write: it ends before the lease does.
func (h *Held) Permit(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := h.Check(); err != nil {
		return ctx, func() {}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.left(), &LostError{Why: "its lease was about to end"})
	return ctx, cancel, nil
}

// Lost says that a host knows a later holder.
func (h *Held) Lost(why string) { h.lose(&LostError{Why: why}) }

// renew renews the lease until the lock is lost or given back.
func (h *Held) renew(ctx context.Context) {
	defer close(h.ended)
	var last error
	for wait := h.fleet.Lease / 3; ; {
		if h.fleet.clock.pause(ctx, min(wait, max(h.left(), 0))) != nil {
			return
		}
		var lost bool
		if lost, last = h.again(ctx, last); lost {
			return
		}
		if wait = h.fleet.Lease / 3; last != nil {
			wait = h.fleet.Lease / 30
		}
	}
}

// again renews it once, and tells whether it is lost. last is what went wrong the
// last time.
func (h *Held) again(ctx context.Context, last error) (lost bool, err error) {
	if h.left() <= 0 {
		why := "its lease ended and could not be renewed in time"
		if last != nil {
			why += fmt.Sprintf(" (%v)", last)
		}
		h.lose(&LostError{Why: why})
		return true, last
	}
	began := h.fleet.clock.now()
	if lost, err = h.round(ctx); !lost && err == nil {
		h.mu.Lock()
		h.good = began
		h.mu.Unlock()
	}
	return lost, err
}

// doubts is how often a master says that another has the lock before that is
// believed: it may be somebody who finds out that it is held, and withdraws.
const doubts = 3

// round renews the lease once, on all masters that have it. It has gone well when
// error is nil; taken says that the lock is somebody else's.
func (h *Held) round(ctx context.Context) (taken bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(h.left(), 0))
	defer cancel()
	for try := 1; ; try++ {
		yes, no := map[string]bool{}, map[string]bool{}
		var why string
		err = nil
		for _, r := range h.fleet.askAll(ctx, h.masters, call{verb: "renew", epoch: h.Epoch, claim: h.Claim}) {
			switch {
			case r.err != nil:
				err = r.err
			case r.verdict == granted:
				yes[r.conn.Name()] = true
			default:
				no[r.conn.Name()], why = true, refusal(r)
			}
		}
		if h.fleet.Majority(func(m string) bool { return yes[m] }) {
			return false, nil
		}
		possible := h.fleet.Majority(func(m string) bool { return h.has(m) && !no[m] })
		if possible {
			return false, fmt.Errorf("%w", orElse(err, "too few masters confirmed it"))
		}
		if try >= doubts {
			h.lose(&LostError{Why: why})
			return true, nil
		}
		if err := h.fleet.clock.pause(ctx, h.fleet.Lease/100); err != nil {
			return false, err
		}
	}
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s", text)
}

func (h *Held) has(master string) bool {
	return slices.ContainsFunc(h.masters, func(m Conn) bool { return m.Name() == master })
}

// refusal is why a master does not renew.
func refusal(r reply) string {
	top := highest(r.entries)
	if top.Run == "" {
		return fmt.Sprintf("%s has no claim of ours any more", r.conn.Name())
	}
	return fmt.Sprintf("%s says that %s took it, with %q (epoch %d)", r.conn.Name(), top.Owner, top.Reason, top.Epoch)
}

// Settle ends the renewal: what is left to be done is done within the lease.
func (h *Held) Settle() {
	h.stop()
	<-h.ended
}

// Release gives the lock back. What cannot be told ends with its lease.
func (h *Held) Release(ctx context.Context) {
	h.once.Do(func() {
		h.Settle()
		h.lose(&LostError{Why: "it was given back"}) // before the next one has it
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
		defer cancel()
		h.fleet.askAll(ctx, h.masters, call{verb: "release", epoch: h.Epoch, claim: h.Claim})
	})
}
