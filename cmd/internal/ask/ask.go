// Package ask asks the operator for secrets, on the terminal that drover was
// started from and without echo. It knows nothing of what they are for.
package ask

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/term"
)

// ErrNoTerminal says that there is nobody to ask.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// Terminal is where secrets are asked for, one at a time. The zero value is the
// terminal the process belongs to, wherever its input comes from and its output
// goes: a secret is nothing to pipe.
type Terminal struct {
	mu sync.Mutex
}

// Present tells whether there is somebody to ask.
func (t *Terminal) Present() bool {
	tty, err := open()
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

func open() (*os.File, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTerminal, err)
	}
	return tty, nil
}

// Secret asks a question and reads a line that is not shown. When ctx ends first,
// the terminal is left as it was.
func (t *Terminal) Secret(ctx context.Context, question string) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	tty, err := open()
	if err != nil {
		return nil, err
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		tty.Close()
		return nil, fmt.Errorf("%w: %w", ErrNoTerminal, err)
	}
	fmt.Fprint(tty, question)
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // ends with the line, at the latest with the process
		line, err := term.ReadPassword(int(tty.Fd()))
		fmt.Fprintln(tty) // the one that was not shown
		tty.Close()
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, fmt.Errorf("nothing was answered: %w", a.err)
		}
		return a.line, nil
	case <-ctx.Done():
		_ = term.Restore(int(tty.Fd()), before) // what else could be done
		fmt.Fprintln(tty)
		return nil, context.Cause(ctx)
	}
}
