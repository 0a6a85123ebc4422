package report

import (
	"time"

	"github.com/droverctl/drover/provision/plan"
)

// Kind is what an event tells.
type Kind string

// The events of a change's life, and notes that belong to none.
const (
	Started Kind = "started"
	Waiting Kind = "waiting" // Text says for what, and how it last looked
	Done    Kind = "done"
	Failed  Kind = "failed"  // Err says why
	Skipped Kind = "skipped" // something it needs failed
	Note    Kind = "note"
)

// Event is one thing that happened.
type Event struct {
	Time   time.Time
	Kind   Kind
	ID     plan.ID // empty for a Note
	Action plan.Action
	Text   string
	Err    error
	Took   time.Duration // for Done and Failed
}

// Sink receives events, from many goroutines at once.
type Sink interface{ Event(Event) }

// Outcome is how one change ended.
type Outcome struct {
	Change plan.Change
	Kind   Kind // Done, Failed or Skipped
	Err    error
	Took   time.Duration
}

// Report is how a run ended: one outcome for each change that was pending, in
// the plan's order.
type Report struct {
	Outcomes []Outcome
	// ByHand are the BIG-IPs that somebody else configures, as it was at the end.
	ByHand []plan.ByHand
	Took   time.Duration
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
