package ssh

import (
	"context"
	"errors"
	"sync"
)

// Jumps shares one connection per jump host among all hosts behind it: a bastion
// limits how many it accepts at once. The zero value is ready.
type Jumps struct {
	mu     sync.Mutex
	open   map[string]*jump
	closed bool
}

// jump is a connection, or the attempt at one that others wait for.
type jump struct {
	ready chan struct{}
	link  *link
	err   error
}

// through is the way to what is behind h.
func (j *Jumps) through(h *hop, o Options) way {
	return func(ctx context.Context) (dialer, error) {
		l, err := j.link(ctx, h, o)
		if err != nil {
			return nil, err
		}
		return l.DialContext, nil
	}
}

func (j *Jumps) link(ctx context.Context, h *hop, o Options) (*link, error) {
	for {
		j.mu.Lock()
		if j.closed {
			j.mu.Unlock()
			return nil, errors.New("the connections to jump hosts are closed")
		}
		if j.open == nil {
			j.open = map[string]*jump{}
		}
		one, found := j.open[h.keyed()]
		if !found {
			one = &jump{ready: make(chan struct{})}
			j.open[h.keyed()] = one
		}
		j.mu.Unlock()
		if !found {
			j.start(ctx, h, o, one)
		}
		select {
		case <-one.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if found && ctx.Err() == nil && errors.Is(one.err, context.Canceled) {
			continue // somebody else gave up on it; this caller has not
		}
		return one.link, one.err
	}
}

// start connects, and forgets the connection when it failed or ends, so that the
// next caller makes a new one.
func (j *Jumps) start(ctx context.Context, h *hop, o Options, one *jump) {
	one.link, one.err = connect(ctx, h, o, j.before(h, o))
	close(one.ready)
	if one.err != nil {
		j.forget(h, one)
		return
	}
	j.mu.Lock()
	late := j.closed
	j.mu.Unlock()
	if late {
		one.link.Close()
	}
	go func() {
		<-one.link.done
		j.forget(h, one)
	}()
}

func (j *Jumps) before(h *hop, o Options) way {
	if h.via == nil {
		return direct
	}
	return j.through(h.via, o)
}

func (j *Jumps) forget(h *hop, one *jump) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.open[h.keyed()] == one {
		delete(j.open, h.keyed())
	}
}

// Close closes the connections to the jump hosts, and with them all through them.
func (j *Jumps) Close() error {
	j.mu.Lock()
	j.closed = true
	var links []*link
	for _, one := range j.open {
		select {
		case <-one.ready:
			if one.link != nil {
				links = append(links, one.link)
			}
		default:
		}
	}
	j.mu.Unlock()
	for _, c := range links {
		c.Close()
	}
	return nil
}
