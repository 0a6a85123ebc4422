package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Finish is a context for what is under way: it ends, for the same cause, only a
// while after ctx, unless the cause is one that leaves no time.
func Finish(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() {
		late := time.NewTimer(leaves(ctx, grace))
		defer late.Stop()
		select {
		case <-late.C:
			cancel(context.Cause(ctx))
		case <-work.Done():
		}
	})
	return work, func() {
		unwatch()
		cancel(nil)
	}
}

// leaves is how much of the grace a stop leaves: none when somebody else may be at
// work already.
func leaves(ctx context.Context, grace time.Duration) time.Duration {
	if c, ok := context.Cause(ctx).(interface{ Immediately() bool }); ok && c.Immediately() {
		return 0
	}
	return grace
}

// context is how long a change may be worked at: what only waits for somebody
// else leaves nothing behind when it is given up.
func (r *run) context(id plan.ID) context.Context {
	if _, gate := r.Resources[id].(resource.Gate); gate || r.passive(id) {
		return r.ctx
	}
	return r.work
}

// begin says that a change is under way, unless the run was stopped or its host's
// chain was. All under the lock, so that whatever begins is told of by tellStop, and
// is told before it, and nothing is told to begin after what broke its host.
func (r *run) begin(c plan.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if err := r.broken[c.ID.Host()]; err != nil {
		return err
	}
	r.underWay[c.ID] = true
	r.tell(report.Event{Kind: report.Started, ID: c.ID, Action: c.Action, Text: c.Reason})
	return nil
}

func (r *run) end(id plan.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.underWay, id)
}

// tellStop tells, at the moment of a stop, what is under way.
func (r *run) tellStop() (release func()) {
	return OnStop(r.ctx, func() {
		r.mu.Lock()
		var names []string
		for id := range r.underWay {
			names = append(names, string(id))
		}
		r.mu.Unlock()
		r.tell(Stopping(r.ctx, names, r.Grace))
	})
}

// OnStop has something told when ctx ends. After release it is told no more, nor
// still being told.
func OnStop(ctx context.Context, tell func()) (release func()) {
	told := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(told)
		tell()
	})
	return func() {
		if !unwatch() {
			<-told
		}
	}
}

// mostNamed is how many of those under way are named.
const mostNamed = 10

// Stopping is the event of a stop.
func Stopping(ctx context.Context, underWay []string, grace time.Duration) report.Event {
	text := "nothing more is started, and nothing was under way"
	grace = leaves(ctx, grace)
	if n := len(underWay); n > 0 {
		slices.Sort(underWay)
		names := strings.Join(underWay[:min(n, mostNamed)], ", ")
		if n > mostNamed {
			names += fmt.Sprintf(" and %d more", n-mostNamed)
		}
		if grace == 0 {
			return report.Event{Kind: report.Stopping, Text: "nothing more is started, and what is under way is cut off: " + names, Err: context.Cause(ctx)}
		}
		text = fmt.Sprintf("nothing more is started; what is under way has up to %s to end (a second signal cuts it off at once): %s", grace, names)
	}
	return report.Event{Kind: report.Stopping, Text: text, Err: context.Cause(ctx)}
}
