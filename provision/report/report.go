package report

import (
	"time"

	"github.com/droverctl/drover/provision/plan"
)

// Kind is what an event tells.
type Kind string

// The events of a change's life.
const (
	Started Kind = "started"
	Waiting Kind = "waiting" // Text says for what, and how it last looked
	Done    Kind = "done"
	Failed  Kind = "failed"  // Err says why
	Skipped Kind = "skipped" // something it needs failed, or the run was stopped
	Left    Kind = "left"    // now is no time to disturb it, and it was not: Err says why
	Cut     Kind = "cut"     // it was under way when the run was stopped, and what became of it is not known
)

// The events of a host as a whole: Text says what is done to it, which is "look"
// or "reset".
const (
	HostStarted Kind = "host-started"
	HostDone    Kind = "host-done"
	HostFailed  Kind = "host-failed" // Err says why
)

// The events that belong to the run.
const (
	Stopping Kind = "stopping" // nothing more is started; Text says what is under way
	Note     Kind = "note"
	Warning  Kind = "warning"
	Error    Kind = "error"    // why the command failed
	Question Kind = "question" // what the operator is asked
)

// Event is one thing that happened.
type Event struct {
	Time   time.Time
	Kind   Kind
	Host   string  // of an event that has no ID
	ID     plan.ID // of a change's event
	Action plan.Action
	Text   string
	Err    error
	Took   time.Duration // for what has ended, in whatever way
}

// On is the host that an event is about, "" when it is about none.
func (e Event) On() string {
	if e.ID != "" {
		return e.ID.Host()
	}
	return e.Host
}

// Sink receives events, from many goroutines at once.
type Sink interface{ Event(Event) }

// Command is one command that a host was asked to run, when it has ended. It
// holds no secrets: of what went over stdin, only how much.
type Command struct {
	Host           string
	Text           string // as errors show it
	Start          time.Time
	Took           time.Duration
	Exit           int
	Err            error // why there is no exit code
	Sent, Received int64 // bytes of stdin, and of both outputs
}

// Outcome is how one change ended.
type Outcome struct {
	Change plan.Change
	Kind   Kind // Done, Failed, Skipped, Left or Cut
	Err    error
	Took   time.Duration
}

// Report is how a run ended: one outcome for each change that was pending, in
// the plan's order.
type Report struct {
	Outcomes []Outcome
	// ByHand are the BIG-IPs that somebody else configures, as it was at the end.
	ByHand []plan.ByHand
	// Away are the hosts of the inventory that were not reached: nothing was done on
	// them, and what they lack is not known.
	Away []string
	Took time.Duration
	// Stopped is why the run was stopped before all was done, nil when it was not.
	Stopped error
}

// Failed are the outcomes that are not Done.
func (r Report) Failed() []Outcome {
	var out []Outcome
	for _, o := range r.Outcomes {
		if o.Kind != Done {
			out = append(out, o)
		}
	}
	return out
}
