package hosttest

import (
	"context"
	"errors"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// What a fault does, and whether the command has taken effect by then.
type (
	Effect string
	Moment string
)

const (
	Fail Effect = "fail" // an exit code
	Hang Effect = "hang" // no answer, until the caller gives up
	Cut  Effect = "cut"  // the connection breaks
	// The machine loses its power in that moment, and is on again at once.
	Reboot Effect = "reboot"
	// From then on its disk is full, until Mend; the moment is always Before.
	Full Effect = "full"

	Before Moment = ""
	After  Moment = "after"
	Amid   Moment = "amid" // over SSH: in the middle of stdin, or of a file over SFTP
)

// Fault is something that goes wrong once.
type Fault struct {
	N     int    // with the N-th operation; 0: the first that matches
	Match string // a part of its argv; "": any
	Do    Effect
	When  Moment
	Bytes int // Amid: after so many bytes

	Exit   int // Fail: the exit code; 1 when 0
	Stderr string
	// Struck is called over SSH when it strikes, before the client is told anything;
	// may be nil.
	Struck func()
}

// Inject makes something go wrong. Each fault strikes once.
func (h *Host) Inject(f Fault) {
	if f.Exit == 0 && f.Do == Fail {
		f.Exit = 1
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, f)
}

func (f Fault) matches(op Op) bool {
	return (f.N == 0 || f.N == op.N) && strings.Contains(strings.Join(op.Argv, " "), f.Match)
}

func (f Fault) strikes(m Moment) bool { return f.Do != "" && f.Do != Full && f.When == m }

func (f Fault) result() host.Result { return host.Result{Exit: f.Exit, Stderr: []byte(f.Stderr)} }

func (f Fault) struck() {
	if f.Struck != nil {
		f.Struck()
	}
}

// wait is what the caller of a direct operation sees.
func (f Fault) wait(ctx context.Context) error {
	if f.Do == Cut || f.Do == Reboot {
		return errors.New("hosttest: the connection was cut")
	}
	<-ctx.Done()
	return ctx.Err()
}
