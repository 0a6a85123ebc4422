package view

import (
	"fmt"
	"sync"
	"time"

	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Progress shows how a run goes on standard error: live on a terminal, as plain
// lines elsewhere, or as JSON. It is a report.Sink, for many goroutines.
type Progress struct {
	view  View
	start time.Time
	live  *live // nil where lines are shown
	mu    sync.Mutex
}

// Progress begins to show how the changes of a plan are made.
func (v View) Progress(p plan.Plan) *Progress {
	now := time.Now()
	return v.progress(now, changesBoard(now, p.Pending()))
}

// Hosts begins to show what is done to hosts as a whole: they are "looked at", or
// "reset".
func (v View) Hosts(verb string, names []string) *Progress {
	now := time.Now()
	return v.progress(now, hostsBoard(now, verb, names))
}

func (v View) progress(start time.Time, b *board) *Progress {
	p := &Progress{view: v, start: start}
	if v.Screen != nil && v.Log != LogJSON {
		p.live = newLive(v.Screen, b)
	}
	return p
}

// Event shows an event.
func (p *Progress) Event(e report.Event) {
	text := p.text(e)
	if text != "" {
		text = p.view.clean(fmt.Sprintf("%7.1fs  %s\n", e.Time.Sub(p.start).Seconds(), text))
	}
	if p.live == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.view.tell(e, text)
		return
	}
	if p.view.Keep != nil {
		p.view.Keep.Event(e)
	}
	e.Text = p.view.clean(e.Text)
	switch e.Kind {
	case report.Done, report.Waiting: // the board has them
		text = ""
	}
	p.live.event(e, text)
}

// Aside leaves the screen to do, which asks the operator something there.
func (p *Progress) Aside(do func()) {
	if p.live != nil {
		p.live.step(1)
		defer p.live.step(-1)
	}
	do()
}

// Close ends the showing; what comes after it is written below.
func (p *Progress) Close() {
	if p.live != nil {
		p.live.close()
	}
}

// text is what of an event is worth a line: what was done, what is waited for,
// what went wrong. That something began, or was skipped because of another's
// failure, is not.
func (p *Progress) text(e report.Event) string {
	switch e.Kind {
	case report.Done:
		return fmt.Sprintf("%s  %s (%s)", e.ID, past(e.Action), e.Took.Round(10*time.Millisecond))
	case report.Waiting:
		return fmt.Sprintf("%s  waiting: %s", e.ID, e.Text)
	case report.Failed:
		return fmt.Sprintf("%s  FAILED: %v", e.ID, e.Err)
	case report.Left:
		return fmt.Sprintf("%s  LEFT: %v", e.ID, e.Err)
	case report.Cut:
		return fmt.Sprintf("%s  CUT OFF: %v", e.ID, e.Err)
	case report.Stopping:
		return fmt.Sprintf("%v: %s", e.Err, e.Text)
	case report.Note:
		return e.Text
	case report.Warning:
		return "warning: " + e.Text
	}
	return ""
}
