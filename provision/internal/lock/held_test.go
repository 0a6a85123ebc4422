package lock

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A run that was stopped by a signal still cleans up, under the lock: losing that
// ends it all the same.
func TestTheLockIsLostAlsoByWhoWasStopped(t *testing.T) {
	w := newWorld(1, 1)
	ctx, stop := context.WithCancelCause(t.Context())
	h, err := w.fleet().take(ctx, Request{Claim: claimOf("a")})
	if err != nil {
		t.Fatal(err)
	}
	signal := errors.New("a signal")
	stop(signal)
	if err := h.Check(); err != nil {
		t.Errorf("it may not clean up: %v", err)
	}
	h.Lost("a host knows a later holder")
	var lost *LostError
	if err := h.Check(); !errors.As(err, &lost) {
		t.Errorf("it may still change something: %v", err)
	}
	if _, _, err := h.Permit(t.Context()); !errors.As(err, &lost) {
		t.Errorf("it may still write: %v", err)
	}
	if err := context.Cause(h.Context()); !errors.Is(err, signal) {
		t.Errorf("it was stopped by %v", err)
	}
}

// So does a lease that ends, and one that was given back.
func TestALeaseThatEndedIsLost(t *testing.T) {
	w := newWorld(1, 1)
	for what, end := range map[string]func(*Held){
		"ended": func(*Held) { w.now = w.now.Add(modelLease) },
		"back":  (*Held).giveBack,
	} {
		h, err := w.fleet().take(t.Context(), Request{Claim: claimOf(what), Seen: Seen{Epoch: w.top}})
		if err != nil {
			t.Fatal(what, err)
		}
		w.top = h.Epoch
		ctx, cancel, err := h.Permit(t.Context())
		if err != nil || ctx.Err() != nil {
			t.Errorf("%s: %v, %v", what, err, ctx.Err())
		}
		if deadline, there := ctx.Deadline(); !there || time.Until(deadline) > modelLease {
			t.Errorf("%s: a write may take until %v", what, deadline)
		}
		cancel()
		end(h)
		var lost *LostError
		if err := h.Check(); !errors.As(err, &lost) || !errors.As(context.Cause(h.Context()), &lost) {
			t.Errorf("%s: %v, %v", what, err, context.Cause(h.Context()))
		}
		w.now = w.now.Add(2 * modelLease)
	}
}
