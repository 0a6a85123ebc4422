package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

const (
	// checkDeadline is how long a check may take when nobody says.
	checkDeadline = time.Minute
	// mostReserve is how long before its deadline a run that changes hosts stops, at most:
	// what is under way has two thirds of that to end, and the rest is for giving the lock
	// back and telling what is where.
	mostReserve = 45 * time.Second
	// overtime is how long after its deadline drover is there, at most.
	overtime = time.Second
)

// deadline is when a run has to be over, whatever it is at.
type deadline struct {
	limit time.Duration // --deadline; 0 is none
	grace time.Duration // of what is under way when the run stops; 0 is the usual one
	over  chan struct{} // closed when nobody waits for the run any more
	end   func()        // releases the timers
}

// DeadlineError is why a run was stopped: its time was up.
type DeadlineError struct{ Limit time.Duration }

func (e *DeadlineError) Error() string { return fmt.Sprintf("stopped by the deadline of %s", e.Limit) }

func newDeadline() deadline { return deadline{over: make(chan struct{}), end: func() {}} }

// begin has a command's context end in time: when the deadline comes, or for what
// changes hosts a while before.
func (d *deadline) begin(c *cobra.Command) error {
	flag := c.Flags().Lookup("deadline")
	if flag != nil && flag.Changed && d.limit <= 0 {
		return usageError("--deadline=%s leaves no time: give a duration, as in 40m", d.limit)
	}
	if d.limit == 0 && c.Name() == checkName {
		d.limit = checkDeadline
	}
	if d.limit == 0 {
		return nil
	}
	var reserve time.Duration
	if takesLock(c) {
		reserve = min(mostReserve, d.limit/3)
		d.grace = reserve * 2 / 3
	}
	ctx, cancel := context.WithCancelCause(c.Context())
	c.SetContext(ctx)
	stop := time.AfterFunc(d.limit-reserve, func() { cancel(&DeadlineError{d.limit}) })
	over := time.AfterFunc(d.limit+overtime, func() { close(d.over) })
	d.end = func() {
		stop.Stop()
		over.Stop()
		cancel(nil)
	}
	return nil
}

// overtaken is an error that says that the deadline is behind it, where it is.
func overtaken(ctx context.Context, err error) error {
	var late *DeadlineError
	if quiet(err) || errors.As(err, &late) || !errors.As(context.Cause(ctx), &late) {
		return err
	}
	return fmt.Errorf("%w\n%w", err, late)
}
