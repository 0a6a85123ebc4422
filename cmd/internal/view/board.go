package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// board is what a live view shows: the hosts, what each is at, and how far all is.
type board struct {
	start    time.Time
	hosts    []*row // in the order of the plan, or in which they are met
	byName   map[string]*row
	verb     string // what is done to hosts as a whole; "" for the changes of a plan
	stopping bool
}

// row is one host.
type row struct {
	name                         string
	total, done, failed, skipped int
	at                           []step // the one that is longest at it first
	trouble                      string // what failed first, and why
	ended                        bool   // what is done to it as a whole
}

// step is a change that is under way.
type step struct {
	id      plan.ID
	since   time.Time
	waiting string
}

// changesBoard is of the changes of a plan.
func changesBoard(start time.Time, pending []plan.Change) *board {
	b := &board{start: start, byName: map[string]*row{}}
	for _, c := range pending {
		b.row(c.ID.Host()).total++
	}
	return b
}

// hostsBoard is of something that is done to hosts as a whole.
func hostsBoard(start time.Time, verb string, hosts []string) *board {
	b := &board{start: start, byName: map[string]*row{}, verb: verb}
	for _, name := range hosts {
		b.row(name)
	}
	return b
}

func (b *board) row(name string) *row {
	r := b.byName[name]
	if r == nil {
		r = &row{name: name}
		b.byName[name] = r
		b.hosts = append(b.hosts, r)
	}
	return r
}

func (b *board) event(e report.Event) {
	if e.Kind == report.Stopping {
		b.stopping = true
	}
	if e.On() == "" {
		return
	}
	r := b.row(e.On())
	i := slices.IndexFunc(r.at, func(s step) bool { return s.id == e.ID })
	switch e.Kind {
	case report.Started, report.HostStarted:
		r.at = append(r.at, step{id: e.ID, since: e.Time})
		return
	case report.Waiting:
		if i < 0 { // a condition that was met before is looked at again
			r.at, i = append(r.at, step{id: e.ID, since: e.Time}), len(r.at)
		}
		r.at[i].waiting = firstLine(e.Text)
		return
	case report.Done:
		r.done++
	case report.Failed:
		r.failed++
		r.trouble = cmp.Or(r.trouble, "FAILED: "+e.ID.What())
	case report.Cut:
		r.failed++
		r.trouble = cmp.Or(r.trouble, "CUT OFF: "+e.ID.What())
	case report.Skipped, report.Left:
		r.skipped++
	case report.HostDone:
		r.ended = true
	case report.HostFailed:
		r.ended = true
		r.failed++
	}
	if i >= 0 {
		r.at = slices.Delete(r.at, i, i+1)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.ReplaceAll(line, "\t", " ")
}

// The colors, where there are any.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[m"
)

// spare is how many lines of a screen the board leaves free, the cursor's among
// them, so that it never scrolls out of reach.
const spare = 2

// frame is the board as lines that are narrower than the screen and fewer than
// its lines.
func (b *board) frame(now time.Time, width, height int, color bool) []string {
	rows := b.rows(max(0, height-spare-1))
	lines := []string{b.head(now, width)}
	name := 0
	for _, r := range rows {
		name = max(name, min(len(r.name), width/3))
	}
	for _, r := range rows {
		text, paint := r.text(now)
		line := ansi.Truncate(fmt.Sprintf("  %-*s  %s", name, ansi.Truncate(r.name, name, "..."), text), max(1, width-1), "...")
		if color && paint != "" {
			line = paint + line + plain
		}
		lines = append(lines, line)
	}
	if len(rows) < len(b.hosts) && height > spare+1 {
		lines = append(lines, ansi.Truncate("  "+b.others(len(rows)), max(1, width-1), "..."))
	}
	return lines[:min(len(lines), max(1, height-spare))]
}

// rows are the hosts that get a line: all where they fit, else those at work.
func (b *board) rows(room int) []*row {
	if len(b.hosts) <= room && b.verb == "" {
		return b.hosts
	}
	var working []*row
	for _, r := range b.hosts {
		if len(r.at) > 0 {
			working = append(working, r)
		}
	}
	if len(working) < len(b.hosts) {
		room-- // for the summary
	}
	return working[:min(len(working), max(0, room))]
}

// head says how far all is.
func (b *board) head(now time.Time, width int) string {
	all, over, failed := 0, 0, 0
	for _, r := range b.hosts {
		all, over, failed = all+r.total, over+r.done+r.failed+r.skipped, failed+r.failed
	}
	what := "changes"
	if b.verb != "" {
		what, all, over = "hosts "+b.verb, len(b.hosts), 0
		for _, r := range b.hosts {
			if r.ended {
				over++
			}
		}
	}
	text := fmt.Sprintf("%7.1fs  %d of %d %s", now.Sub(b.start).Seconds(), over, all, what)
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if b.stopping {
		text += ", stopping"
	}
	text = ansi.Truncate(text, max(1, width-1), "...")
	if room := min(40, width-len(text)-5); room >= 10 && all > 0 {
		full := room * min(over, all) / all // a condition that was met before may fail besides
		text += "  [" + strings.Repeat("#", full) + strings.Repeat("-", room-full) + "]"
	}
	return text
}

// machines are the rows without that of the cluster, which is no host.
func (b *board) machines() []*row {
	return slices.DeleteFunc(slices.Clone(b.hosts), func(r *row) bool { return r.name == plan.ClusterHost })
}

// others says how the hosts are that have no line.
func (b *board) others(shown int) string {
	working, done, failed, idle := 0, 0, 0, 0
	machines := b.machines()
	for _, r := range machines {
		switch {
		case len(r.at) > 0:
			working++
		case r.failed > 0:
			failed++
		case r.over():
			done++
		default:
			idle++
		}
	}
	text := fmt.Sprintf("%d hosts: %d at work", len(machines), working)
	if working > shown {
		text += fmt.Sprintf(" (%d not shown)", working-shown)
	}
	return text + fmt.Sprintf(", %d done, %d failed, %d waiting", done, failed, idle)
}

func (r *row) over() bool { return r.ended || r.total > 0 && r.done+r.failed+r.skipped >= r.total }

// text is what a host is at.
func (r *row) text(now time.Time) (text, paint string) {
	if r.total == 0 && len(r.at) > 0 {
		return seconds(now.Sub(r.at[0].since)), ""
	}
	count := fmt.Sprintf("%*d/%d  ", len(fmt.Sprint(r.total)), r.done, r.total)
	switch {
	case len(r.at) > 0:
		s := r.at[0]
		text = fmt.Sprintf("%s %s", s.id.What(), seconds(now.Sub(s.since)))
		if s.waiting != "" {
			text, paint = text+"  waiting: "+s.waiting, yellow
		}
		if more := len(r.at) - 1; more > 0 {
			text = fmt.Sprintf("(+%d) %s", more, text)
		}
	case r.failed > 0:
		text, paint = r.trouble, red
	case r.over() && r.skipped > 0:
		text, paint = "left", yellow
	case r.over():
		text, paint = "done", green
	default:
		text = "waiting for others"
	}
	return count + text, paint
}

func seconds(d time.Duration) string { return d.Truncate(time.Second).String() }

// mostSummed is up to how many hosts each has a line of the summary.
const mostSummed = 20

// summary is what is left of the board: how each host ended, or with many hosts,
// those that did not end well.
func (b *board) summary(now time.Time, width int) []string {
	if b.verb != "" {
		return nil
	}
	var lines []string
	var bad []*row
	for _, r := range b.hosts {
		if r.done < r.total {
			bad = append(bad, r)
		}
	}
	shown := b.hosts
	if len(b.hosts) > mostSummed {
		shown = bad[:min(len(bad), mostSummed)]
	}
	name := 0
	for _, r := range shown {
		name = max(name, min(len(r.name), width/3))
	}
	for _, r := range shown {
		text, _ := r.text(now)
		lines = append(lines, ansi.Truncate(fmt.Sprintf("  %-*s  %s", name, ansi.Truncate(r.name, name, "..."), text), max(1, width-1), "..."))
	}
	if len(shown) < len(b.hosts) {
		well := 0
		machines := b.machines()
		for _, r := range machines {
			if r.done == r.total {
				well++
			}
		}
		lines = append(lines, ansi.Truncate(fmt.Sprintf("  %d hosts: %d done, %d not", len(machines), well, len(machines)-well), max(1, width-1), "..."))
	}
	return lines
}
