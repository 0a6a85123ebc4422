package wait

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// Condition is something to wait for.
type Condition struct {
	// What is met, in words that follow "waiting for": "etcd to have a leader".
	What string
	// Limit is how long it may take. There is no wait without one.
	Limit time.Duration
	// Every is the pause between two checks; 0 is half a second. The first few
	// pauses are shorter, so that what is nearly there costs little.
	Every time.Duration
	// Check is nil when the condition is met, or says why it is not. It must
	// heed its context, which ends with the limit.
	Check func(ctx context.Context) error
}

// TimeoutError is a condition that was not met within its limit.
type TimeoutError struct {
	What   string
	Waited time.Duration
	Last   error // why it was not met when it was last looked at
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("waited %s for %s: %v", e.Waited.Round(time.Second), e.What, e.Last)
}

func (e *TimeoutError) Unwrap() error { return e.Last }

// Permanent marks an error that more waiting cannot end: For returns at once.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// For checks c until it is met. When the limit passes, the error is a
// *TimeoutError; when ctx ends first, it wraps the cause of that. Progress, which
// may be nil, is told why the condition is not met whenever that changes.
func For(ctx context.Context, c Condition, progress func(string)) error {
	if c.Limit <= 0 {
		return fmt.Errorf("waiting for %s: no limit is set", c.What)
	}
	if c.Every <= 0 {
		c.Every = 500 * time.Millisecond
	}
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()

	var last error
	for pause := c.Every / 8; ; pause = min(pause*3/2, c.Every) {
		err := c.Check(limited)
		var permanent *permanentError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &permanent):
			return fmt.Errorf("waiting for %s: %w", c.What, permanent.err)
		case host.Lost(err): // nobody connects again
			return fmt.Errorf("waiting for %s: %w", c.What, err)
		}
		// A check that the limit cut short says only that; what was seen before
		// it tells more.
		if cut := limited.Err() != nil && isContext(err); last == nil || !cut {
			if progress != nil && (last == nil || last.Error() != err.Error()) {
				progress(err.Error())
			}
			last = err
		}
		if !sleep(limited, jitter(pause)) {
			return ended(ctx, c, time.Since(start), last)
		}
	}
}

// ended is the error of a wait that was not met: because its limit passed, or
// because the work it belongs to was stopped.
func ended(ctx context.Context, c Condition, waited time.Duration, last error) error {
	if ctx.Err() == nil {
		return &TimeoutError{What: c.What, Waited: waited, Last: last}
	}
	return fmt.Errorf("stopped waiting for %s after %s (%v): %w",
		c.What, waited.Round(time.Second), last, context.Cause(ctx))
}

func isContext(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// jitter varies a pause by a tenth, so that hosts that wait for the same thing
// do not ask for it at the same moment.
func jitter(d time.Duration) time.Duration {
	spread := d / 10
	if spread <= 0 {
		return d
	}
	return d - spread + rand.N(2*spread)
}

// sleep reports whether it slept to its end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		// Both may be ready; a wait whose limit has passed does not check again.
		return ctx.Err() == nil
	}
}
