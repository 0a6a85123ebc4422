package ssh

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/droverctl/drover/provision/host"
)

// maxSessions is how many commands run on a connection at once; sshd's
// MaxSessions is 10 unless configured.
const maxSessions = 8

// Conn is a connection to a host. It may be used by many goroutines.
type Conn struct {
	hop      *hop
	opts     Options
	link     *link
	own      *Jumps // connections to jump hosts that are this host's alone
	password string // sudo's; "" when sudo must not ask
	sessions chan struct{}
	uploads  chan struct{} // one place; its session is not among the others
	execs    atomic.Int64
}

var _ host.Writer = (*Conn)(nil)

// Dial connects to a host. Its errors are *host.UnreachableError, when it cannot
// be spoken to, and *host.AuthError, when one side does not trust the other.
func Dial(ctx context.Context, t Target, o Options) (*Conn, error) {
	o = o.filled()
	h, err := route(t, o)
	if err != nil {
		return nil, &host.UnreachableError{Host: or(t.Name, t.Address), Op: "working out how to reach it", Err: err}
	}
	c := &Conn{hop: h, opts: o, sessions: make(chan struct{}, maxSessions), uploads: make(chan struct{}, 1)}
	if h.Become == BecomeSudo && h.SudoPassword != nil {
		if c.password, err = h.SudoPassword(ctx); err != nil {
			return nil, &host.AuthError{Host: h.Name, Err: fmt.Errorf("no sudo password: %w", err), Fix: "give it, or allow the user sudo without one"}
		}
	}
	dial := netDialer()
	if h.via != nil {
		jumps := o.Jumps
		if jumps == nil {
			jumps = &Jumps{}
			c.own = jumps
		}
		dial = jumps.through(h.via, o)
	}
	if c.link, err = connect(ctx, h, o, dial); err != nil {
		if c.own != nil {
			c.own.Close()
		}
		return nil, err
	}
	return c, nil
}

// Name is the host's name in the inventory.
func (c *Conn) Name() string { return c.hop.Name }

// Stats are what the connection has cost so far.
func (c *Conn) Stats() Stats {
	return Stats{Sent: c.link.wire.sent.Load(), Received: c.link.wire.received.Load(), Execs: c.execs.Load()}
}

// Close ends the connection and everything that runs over it.
func (c *Conn) Close() error {
	c.link.fail(errors.New("the connection was closed"))
	<-c.link.done
	if c.own != nil {
		c.own.Close()
	}
	return nil
}

func (c *Conn) unreachable(op string, err error) error {
	return &host.UnreachableError{Host: c.hop.Name, Op: op, Err: err}
}
