package cluster

import (
	"context"
	"sync"
)

// questions are asked one at a time, each for all who want to know: a thousand
// hosts that each wait for their own would else ask a thousand times for the list
// of all. The zero value is ready.
type questions struct {
	mu            sync.Mutex
	running, next map[string]*question
}

type question struct {
	done   chan struct{}
	answer any
	err    error
}

// together gives an answer that was asked for after the call: what the caller has
// just done is in it.
func (q *questions) together(ctx context.Context, what string, ask func(context.Context) (any, error)) (any, error) {
	q.mu.Lock()
	if q.next == nil {
		q.running, q.next = map[string]*question{}, map[string]*question{}
	}
	one := q.next[what]
	if one == nil {
		one = &question{done: make(chan struct{})}
		q.next[what] = one
		// Whoever begins it may give up; the others still want to know.
		go q.put(context.WithoutCancel(ctx), what, one, q.running[what], ask)
	}
	q.mu.Unlock()
	select {
	case <-one.done:
		return one.answer, one.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// put asks when the one before has its answer. Until then others may join.
func (q *questions) put(ctx context.Context, what string, one, before *question, ask func(context.Context) (any, error)) {
	if before != nil {
		<-before.done
	}
	q.mu.Lock()
	delete(q.next, what)
	q.running[what] = one
	q.mu.Unlock()
	one.answer, one.err = ask(ctx)
	close(one.done)
}
