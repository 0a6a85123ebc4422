package view

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// marks are how a plan shows an action, one column wide.
var marks = map[plan.Action]string{
	plan.Create: "+", plan.Update: "~", plan.Restart: "!", plan.Delete: "-",
}

// Plan shows what is to be done, host by host.
func (v View) Plan(p plan.Plan, format Format) error {
	if format == JSON {
		text, err := p.Encode()
		if err == nil {
			_, err = v.Out.Write(text)
		}
		return err
	}
	pending := p.Pending()
	if len(pending) == 0 {
		return v.Line(fmt.Sprintf("%s: %d things are as the inventory says; nothing to do.", p.Cluster, len(p.Changes)) + byHand(p.ByHand))
	}
	for _, group := range byHost(pending) {
		if err := v.Line(group[0].ID.Host()); err != nil {
			return err
		}
		for _, c := range group {
			line := fmt.Sprintf("  %s %s", marks[c.Action], c.ID.What())
			// That a thing to be created is absent goes without saying.
			if c.Action != plan.Create {
				line += ": " + c.Reason
			}
			if err := v.Line(line); err != nil {
				return err
			}
		}
	}
	return v.Line("\n" + summary(pending, len(p.Changes)) + byHand(p.ByHand))
}

// byHost groups changes by host, in the order in which each is first met.
func byHost(changes []plan.Change) [][]plan.Change {
	var groups [][]plan.Change
	index := map[string]int{}
	for _, c := range changes {
		i, ok := index[c.ID.Host()]
		if !ok {
			i = len(groups)
			index[c.ID.Host()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

func summary(pending []plan.Change, all int) string {
	count := map[plan.Action]int{}
	for _, c := range pending {
		count[c.Action]++
	}
	var words []string
	for _, a := range []plan.Action{plan.Create, plan.Update, plan.Restart, plan.Delete} {
		if count[a] > 0 {
			words = append(words, fmt.Sprintf("%d to %s", count[a], a))
		}
	}
	return fmt.Sprintf("%s; %d of %d things are as the inventory says.", strings.Join(words, ", "), all-len(pending), all)
}

// Progress shows a run's events as plain lines on standard error.
type Progress struct {
	view  View
	start time.Time
	mu    sync.Mutex
}

// Progress begins to show a run.
func (v View) Progress(start time.Time) *Progress { return &Progress{view: v, start: start} }

// Event shows what is worth a line: what was done, what is waited for, what went
// wrong. That something began, or was skipped because of another's failure, is
// not.
func (p *Progress) Event(e report.Event) {
	var text string
	switch e.Kind {
	case report.Done:
		text = fmt.Sprintf("%s  %s (%s)", e.ID, past(e.Action), e.Took.Round(10*time.Millisecond))
	case report.Waiting:
		text = fmt.Sprintf("%s  waiting: %s", e.ID, e.Text)
	case report.Failed:
		text = fmt.Sprintf("%s  FAILED: %v", e.ID, e.Err)
	case report.Note:
		text = e.Text
	case report.Started, report.Skipped:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.view.Err, "%7.1fs  %s\n", e.Time.Sub(p.start).Seconds(), text)
}

func past(a plan.Action) string {
	switch a {
	case plan.Create:
		return "created"
	case plan.Update:
		return "updated"
	case plan.Restart:
		return "restarted"
	case plan.Delete:
		return "deleted"
	case plan.NoOp:
	}
	return string(a)
}

// Report shows how a run ended.
func (v View) Report(r report.Report) error {
	failed := r.Failed()
	skipped := 0
	for _, o := range failed {
		if o.Kind == report.Skipped {
			skipped++
		}
	}
	took := r.Took.Round(100 * time.Millisecond)
	if len(failed) == 0 {
		return v.Line(fmt.Sprintf("done: %d changes in %s.", len(r.Outcomes), took) + byHandAtTheEnd(r.ByHand))
	}
	return v.Line(fmt.Sprintf("not done: of %d changes %d failed, and %d that need them were left; %s. Mend what failed and run it again: it goes on from here.",
		len(r.Outcomes), len(failed)-skipped, skipped, took) + byHandAtTheEnd(r.ByHand))
}
