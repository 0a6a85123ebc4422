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
	fence    atomic.Pointer[Fence] // nil: under no lock
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
	jumps := o.Jumps
	if jumps == nil {
		jumps = &Jumps{}
		c.own = jumps
	}
	if c.link, err = connect(ctx, h, o, jumps.before(h, o)); err != nil {
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

// GiveUp breaks the connection for a reason, which all that runs over it then tells.
func (c *Conn) GiveUp(why error) { c.link.fail(why) }

func (c *Conn) unreachable(op string, err error) error {
	e := &host.UnreachableError{Host: c.hop.Name, Op: op, Err: err}
	if e.Lost = c.link.why() != nil; e.Lost { // else it was we who gave up
		e.Fix = "see whether the machine is on, and what `journalctl -u ssh` says there; then run it again: it goes on from here"
	}
	return e
}
