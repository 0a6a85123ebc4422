package provision

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/history"
	"github.com/droverctl/drover/provision/internal/lock"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/report"
)

// Run is one run that changed something, as the masters remember it.
type Run = history.Run

// Outcome is how a run ended, for the masters to remember.
type Outcome struct {
	Kind    history.Outcome
	Changes map[string]int
	IDs     []string
}

// OutcomeOf is that of a report.
func OutcomeOf(r report.Report) Outcome {
	o := Outcome{Kind: history.Done, Changes: map[string]int{}}
	for _, one := range r.Outcomes {
		o.Changes[string(one.Kind)]++
		if one.Kind == report.Done {
			o.IDs = append(o.IDs, string(one.Change.ID))
		}
	}
	switch {
	case r.Stopped != nil:
		o.Kind = history.Stopped
	case len(r.Failed()) > 0:
		o.Kind = history.Failed
	}
	return o
}

// OutcomeOfError is that of a run that ended with an error, or with none.
func OutcomeOfError(ctx context.Context, err error) Outcome {
	switch {
	case err == nil:
		return Outcome{Kind: history.Done}
	case ctx.Err() != nil:
		return Outcome{Kind: history.Stopped}
	}
	return Outcome{Kind: history.Failed}
}

// History asks the masters what they remember of runs, the oldest first. away are
// masters that could not be asked; running is the run that holds the lock now, if
// one does.
func History(ctx context.Context, c *inventory.Cluster, o Options) (runs []Run, running string, away map[string]error) {
	s := reachMasters(ctx, c, o, false)
	defer s.Close()
	away = maps.Clone(s.Away)
	var mu sync.Mutex
	var all [][]Run
	_ = eachOf(slices.Collect(maps.Values(s.conns)), func(conn *ssh.Conn) error {
		one, err := history.Read(ctx, conn)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			away[conn.Name()] = err
			return nil
		}
		all = append(all, one)
		return nil
	})
	var state lock.State
	if len(s.conns) > 0 {
		state = s.fleet(0).Show(ctx)
	}
	if state.Held {
		running = state.Entry.Run
	}
	return history.Merge(all...), running, away
}
