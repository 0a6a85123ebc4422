package lock

import (
	"fmt"
	"strings"
	"time"
)

// BusyError says that somebody else holds the lock.
type BusyError struct {
	Entry
	Master string // that said so
	Waited time.Duration
}

func (e *BusyError) Error() string {
	waited := ""
	if e.Waited >= time.Second {
		waited = fmt.Sprintf(" (waited %s)", e.Waited.Round(time.Second))
	}
	return fmt.Sprintf("the fleet's lock is held%s: %s\n  fix: wait for it, as --lock-wait=10m does; `drover lock show` tells how it is; if that drover is gone for good, `drover lock break`",
		waited, e.Words())
}

// Words are who holds it, why, how long it has, and how long its lease is.
func (e Entry) Words() string {
	if e.Run == "" {
		return fmt.Sprintf("somebody, it was lost who, for %s at most (epoch %d)", e.Left, e.Epoch)
	}
	return fmt.Sprintf("%s (pid %d) runs %q, for %s; its lease ends in %s unless it is renewed (epoch %d)",
		e.Owner, e.PID, e.Reason, e.Age, e.Left, e.Epoch)
}

// LostError is why a run that held the lock was stopped.
type LostError struct{ Why string }

func (e *LostError) Error() string {
	return fmt.Sprintf("the fleet's lock was lost: %s: nothing more is changed\n  fix: see `drover lock show`, and run it again when the lock is free: it goes on from here", e.Why)
}

// Immediately says that what is under way has no grace to end by itself.
func (*LostError) Immediately() bool { return true }

// TooFewError says that the masters that answer are too few to lock anything.
type TooFewError struct {
	Have, Of int
	Errs     []error
}

func (e *TooFewError) Error() string {
	var why []string
	for _, err := range e.Errs {
		why = append(why, err.Error())
	}
	return fmt.Sprintf("the fleet's lock needs more than half of the masters, and %d of %d could be had: %s",
		e.Have, e.Of, strings.Join(why, "; "))
}

func (e *TooFewError) Unwrap() []error { return e.Errs }
