package engine

import (
	"context"
	"slices"
	"sync"
)

// places are how many changes may be under way at once. Who has the longest way
// behind it goes first: that is the way the whole run takes.
type places struct {
	mu   sync.Mutex
	free int
	// closed is how many have yet to come before the first may go: who is due at
	// the beginning is chosen among, not raced.
	closed  int
	waiting []*waiter
}

type waiter struct {
	rank  int
	ready chan struct{} // closed when it has a place
}

// take waits for a place.
func (p *places) take(ctx context.Context, rank int) error {
	w := &waiter{rank: rank, ready: make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, w)
	p.closed--
	p.admit()
	p.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	} else { // it was given one at the same moment
		p.free++
		p.admit()
	}
	return context.Cause(ctx)
}

// give gives a place back.
func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free++
	p.admit()
}

// admit hands out the places that are free. Among equals who came first goes
// first.
func (p *places) admit() {
	for p.closed <= 0 && p.free > 0 && len(p.waiting) > 0 {
		first := 0
		for i, w := range p.waiting {
			if w.rank > p.waiting[first].rank {
				first = i
			}
		}
		close(p.waiting[first].ready)
		p.waiting = slices.Delete(p.waiting, first, first+1)
		p.free--
	}
}
