package labtest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// BenchmarkBootstrap makes clusters of three sizes from bare machines, with the
// mirror and the registry warm, and tells where the time goes. One run has all
// sizes, so that their ratios are those of one machine in one state.
func BenchmarkBootstrap(b *testing.B) {
	suite.Need(b)
	for _, size := range []shape{{Masters: 1, Nodes: 1, Routers: 1}, {Masters: 1, Nodes: 2, Routers: 1}, {Masters: 3, Nodes: 2, Routers: 2}} {
		b.Run(fmt.Sprintf("%d+%d", size.Masters, size.Nodes), func(b *testing.B) {
			c := &cluster{lab: benchLab, shape: size}
			b.Cleanup(func() { c.Run(b, "down") })
			var took time.Duration
			var cost provision.Cost
			rounds := 0
			for b.Loop() {
				c.Must(b, "down")
				c.up(b)
				s := watchBootstrap(b, c.path())
				// Not b.Log, which keeps only the first lines.
				fmt.Printf("\n%d masters, %d nodes, %d BIG-IPs: %s\n%s\n", size.Masters, size.Nodes, size.Routers, s.took.Round(100*time.Millisecond), s.table())
				took += s.took
				cost = s.cost
				rounds++
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(took.Seconds()/float64(rounds), "s")
			b.ReportMetric(float64(cost.Sent)/1e6, "MB-sent")
			b.ReportMetric(float64(cost.Commands), "ssh-commands")
		})
	}
}

// stopwatch notes when each kind of change was at work.
type stopwatch struct {
	began  time.Time
	opened time.Duration // connected, looked and planned
	took   time.Duration
	cost   provision.Cost

	mu     sync.Mutex
	phases map[string]*phase
	order  []string
}

// phase is one kind of change, over all hosts.
type phase struct {
	first, last, work time.Duration
	changes           int
}

// Event notes one change's end. It is a report.Sink.
func (s *stopwatch) Event(e report.Event) {
	if e.Kind != report.Done {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := phaseOf(e.ID)
	end := e.Time.Sub(s.began)
	p := s.phases[name]
	if p == nil {
		p = &phase{first: end - e.Took}
		s.phases[name] = p
		s.order = append(s.order, name)
	}
	p.first, p.last = min(p.first, end-e.Took), max(p.last, end)
	p.work += e.Took
	p.changes++
}

// phaseOf is what a change counts as: units and conditions by their names, the
// rest by their kind.
func phaseOf(id plan.ID) string {
	kind, name, _ := strings.Cut(id.What(), ":")
	switch kind {
	case "unit", "ready", "kubelet", "bgp", "artifact":
		return kind + " " + name
	}
	return kind
}

// table is the phases in the order in which they first ended.
func (s *stopwatch) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }
	fmt.Fprintln(w, "phase\tfrom s\tto s\tin all s\tchanges\t")
	fmt.Fprintf(w, "connect, look, plan\t0.0\t%s\t%s\t\t\n", seconds(s.opened), seconds(s.opened))
	for _, name := range s.order {
		p := s.phases[name]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t\n", name, seconds(p.first), seconds(p.last), seconds(p.work), p.changes)
	}
	fmt.Fprintf(w, "total\t\t%s\t\t\t\n", seconds(s.took))
	w.Flush()
	// Connecting takes 9 round trips with its first command, each further one 2.
	fmt.Fprintf(&text, "%.1f MB sent, %.1f MB received, %d commands over SSH", float64(s.cost.Sent)/1e6, float64(s.cost.Received)/1e6, s.cost.Commands)
	return text.String()
}

// watchBootstrap does what `drover apply` does, with a stopwatch.
func watchBootstrap(b *testing.B, path string) *stopwatch {
	b.Helper()
	s := &stopwatch{began: time.Now(), phases: map[string]*phase{}}
	c, problems := inventory.Load(path)
	if c == nil {
		b.Fatal(problems)
	}
	session, err := provision.Open(b.Context(), c, provision.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer session.Close()
	p, err := session.Plan(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	s.opened = time.Since(s.began)
	held, err := session.Lock(b.Context(), provision.LockRequest{Reason: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	r := held.Apply(p, s)
	held.Release(provision.OutcomeOf(r))
	s.took, s.cost = time.Since(s.began), session.Cost()
	for _, o := range r.Failed() {
		b.Errorf("%s: %s: %v", o.Change.ID, o.Kind, o.Err)
	}
	return s
}
