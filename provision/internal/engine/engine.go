package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Engine is what a run works with.
type Engine struct {
	Resources map[plan.ID]resource.Resource
	World     resource.World
	Sink      report.Sink
	Now       func() time.Time
	// Look looks at a host anew, as far as the scope says.
	Look func(ctx context.Context, name string, scope facts.Scope) (facts.Snapshot, error)
	// PerHost is how many changes may run on one host at once.
	PerHost int
	// Grace is how long what is under way may take to end after a stop.
	Grace time.Duration
	// Enter is called before the first change on a host that is more than waiting; an
	// error keeps every change from it. Leave is called after the last one, however they
	// ended, when Enter was; it has a time of its own. Both may be nil.
	Enter func(ctx context.Context, host string, waiting func(string)) error
	Leave func(ctx context.Context, host string)
}

// Run carries out the plan and returns when every change is done, failed or
// skipped and no goroutine is left. A host's chain stops at its first failure;
// other hosts go on as far as they do not need it, and unless it is something that
// is disturbed in one place after the other: then the other places are left alone. What changes nothing takes no
// place on its host, and its failure stops nothing there but what needs it. When
// ctx ends nothing more is started: what only waits ends at once, and what is under
// way has the grace to end by itself, because a host is left best between two
// changes.
func (e Engine) Run(ctx context.Context, p plan.Plan) report.Report {
	start := e.Now()
	work, release := Finish(ctx, e.Grace)
	defer release()
	r := &run{
		Engine: e, ctx: ctx, work: work, underWay: map[plan.ID]bool{}, nodes: map[plan.ID]*node{}, hosts: map[string]*places{}, serial: map[string]*places{},
		batches: map[string]*batch{}, broken: map[string]error{}, halted: map[string]error{}, visits: map[string]*visit{},
	}
	untold := r.tellStop()
	r.link(p)
	r.wg.Wait()
	untold()
	rep := report.Report{Took: e.Now().Sub(start)}
	for _, c := range p.Pending() {
		rep.Outcomes = append(rep.Outcomes, r.nodes[c.ID].outcome)
	}
	if len(rep.Failed()) > 0 {
		rep.Stopped = context.Cause(ctx)
	}
	return rep
}

// node is one pending change in the graph.
type node struct {
	change  plan.Change
	needs   []*node      // what is pending and must be done before it
	after   []*node      // what is pending and it comes after, needing only what is so already
	alone   bool         // it is as it was, because now was no time to disturb it or what it needs
	rank    int          // how many changes the longest way behind it has
	behind  []*node      // what comes after it
	waits   atomic.Int32 // for how many it has yet to wait
	outcome report.Outcome
}

// run is the state of one Run.
type run struct {
	Engine
	ctx     context.Context // until the run is stopped
	work    context.Context // of what is under way, which may go on for a while then
	nodes   map[plan.ID]*node
	hosts   map[string]*places
	serial  map[string]*places // one place a word
	batches map[string]*batch  // what is to be written on a host
	visits  map[string]*visit  // of the hosts that something is changed on
	wg      sync.WaitGroup

	mu       sync.Mutex
	broken   map[string]error // why nothing more is done on a host
	halted   map[string]error // why nothing more of a serial word is disturbed
	underWay map[plan.ID]bool
}

// link makes the graph of what is pending and starts it. What is as wanted
// already holds nobody up.
func (r *run) link(p plan.Plan) {
	for _, c := range p.Pending() {
		r.nodes[c.ID] = &node{change: c}
		r.expect(c.ID)
		if host := c.ID.Host(); r.hosts[host] == nil {
			r.hosts[host] = &places{free: max(1, r.PerHost)}
			if host == plan.ClusterHost {
				r.hosts[host].free = atCluster
			}
			r.batches[host] = &batch{}
		}
		if c.Serial != "" && r.serial[c.Serial] == nil {
			r.serial[c.Serial] = &places{free: 1}
		}
	}
	r.connect(p)
	r.rank(p)
	for _, n := range r.nodes {
		for _, before := range slices.Concat(n.needs, n.after) {
			before.behind = append(before.behind, n)
			n.waits.Add(1)
		}
	}
	for _, n := range r.begins() {
		r.start(n)
	}
}

// begins are the changes that come after none.
func (r *run) begins() []*node {
	var out []*node
	for _, n := range r.nodes {
		if n.waits.Load() == 0 {
			out = append(out, n)
		}
	}
	return out
}

// start carries a change out, whose turn it is, and starts those that only waited for
// it. Before that it costs nothing but its place in the graph: of tens of thousands
// of changes few are due at once.
func (r *run) start(n *node) {
	r.wg.Go(func() {
		n.outcome = r.carryOut(n)
		r.leaveAfter(n.change.ID)
		for _, next := range n.behind {
			if next.waits.Add(-1) == 0 {
				r.start(next)
			}
		}
	})
}

// atCluster is how many changes the API is asked for at once: it is no machine,
// and its own priority and fairness sees to the rest.
const atCluster = 16

// rank tells each node how long the way behind it is, and each host how many are
// due there at the beginning.
func (r *run) rank(p plan.Plan) {
	for _, c := range slices.Backward(p.Changes) {
		n := r.nodes[c.ID]
		if n == nil {
			continue
		}
		before := slices.Concat(n.needs, n.after)
		for _, need := range before {
			need.rank = max(need.rank, n.rank+1)
		}
		if at := r.places(c); len(before) == 0 && len(at) > 0 && at[0] == r.hosts[c.ID.Host()] {
			at[0].closed++
		}
	}
}

// connect gives each node the pending changes it comes after: those it needs, and
// those that something it needs comes after. A condition that is met now hides
// nobody behind it: what it stands for may be about to change. Changes come in an
// order in which needs are first.
func (r *run) connect(p plan.Plan) {
	behind := map[plan.ID]map[*node]bool{} // of what is as wanted already
	for _, c := range p.Changes {
		needs, after := map[*node]bool{}, map[*node]bool{}
		for _, id := range slices.Concat(c.Needs, c.Triggers, c.Tells) {
			if n := r.nodes[id]; n != nil {
				needs[n] = true
				continue
			}
			maps.Copy(after, behind[id])
		}
		if n := r.nodes[c.ID]; n != nil {
			n.needs, n.after = slices.Collect(maps.Keys(needs)), slices.Collect(maps.Keys(after))
			continue
		}
		maps.Copy(after, needs)
		behind[c.ID] = after
	}
}

// carryOut makes a change, when what it needs was done, and tells how it ended.
func (r *run) carryOut(n *node) report.Outcome {
	c := n.change
	if err := n.lacks(); err != nil {
		return r.skip(c, err)
	}
	release, err := r.admit(n)
	if err != nil {
		return r.skip(c, err)
	}
	defer release()
	if err := r.mayDisturb(c); err != nil {
		n.alone = true
		return r.leave(c, report.Left, err)
	}
	if err := r.begin(c); err != nil {
		return r.skip(c, err)
	}
	defer r.end(c.ID)
	start := r.Now()
	entered := r.enter(c)
	if entered == nil && r.Now().Sub(start) >= longWait {
		if err := r.mayDisturb(c); err != nil {
			n.alone = true
			return r.leave(c, report.Left, err)
		}
	}
	if err = entered; err == nil {
		err = r.make(c)
	}
	took := r.Now().Sub(start)
	if err != nil {
		kind := report.Failed
		if r.context(c.ID).Err() != nil || entered != nil && r.ctx.Err() != nil {
			kind = report.Cut
		}
		r.stopBehind(c, err)
		// Only here: whatever is left on the host because of it need not tell it again.
		err = resource.Explained(r.context(c.ID), r.Resources[c.ID], r.World, err)
		r.tell(report.Event{Kind: kind, ID: c.ID, Action: c.Action, Err: err, Took: took})
		return report.Outcome{Change: c, Kind: kind, Err: err, Took: took}
	}
	r.tell(report.Event{Kind: report.Done, ID: c.ID, Action: c.Action, Took: took})
	return report.Outcome{Change: c, Kind: report.Done, Took: took}
}

// longWait is how long a host may take to be entered before it is asked anew whether what
// is there may be disturbed: somebody else's run is waited for, which may take minutes.
const longWait = time.Second

// lacks tells which of the changes that it comes after, and which have ended, was not
// made. What it needs has to be done; what it only follows may also have been left
// alone, since what is needed of that is so.
func (n *node) lacks() error {
	var left *node
	for i, need := range slices.Concat(n.needs, n.after) {
		switch {
		case need.outcome.Kind == report.Done:
		case !need.alone:
			return notDone(need)
		case i < len(n.needs):
			left = need
		}
	}
	if left == nil {
		return nil
	}
	n.alone = true
	return notDone(left)
}

func notDone(need *node) error {
	return fmt.Errorf("needs %s, which was %s", need.change.ID, need.outcome.Kind)
}

// places are what a change has to have a place in: one on its host, unless all of
// its kind takes one command or it only waits, and for what must not be disturbed twice at once,
// the only one there is; that first, so that nobody occupies a host while waiting
// for its turn.
func (r *run) places(c plan.Change) []*places {
	var out []*places
	if c.Serial != "" && r.disturbs(c) {
		out = append(out, r.serial[c.Serial])
	}
	if _, ok := r.Resources[c.ID].(resource.Written); !ok && !r.passive(c.ID) {
		out = append(out, r.hosts[c.ID.Host()])
	}
	return out
}

// admit waits for a change's places; release gives them back.
func (r *run) admit(n *node) (release func(), err error) {
	var held []*places
	release = func() {
		for _, p := range held {
			p.give()
		}
	}
	for _, p := range r.places(n.change) {
		if err := p.take(r.ctx, n.rank); err != nil {
			release()
			return nil, err
		}
		held = append(held, p)
	}
	if err := r.hostBroken(n.change.ID); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// make applies a change and looks again: it succeeded when what is seen then is
// what was wanted.
func (r *run) make(c plan.Change) error {
	res, ok := r.Resources[c.ID]
	if !ok {
		return fmt.Errorf("%s: in the plan, but nobody knows how to make it", c.ID)
	}
	if w, ok := res.(resource.Written); ok {
		return r.write(r.nodes[c.ID], w)
	}
	world := r.World
	world.Waiting = func(text string) {
		r.tell(report.Event{Kind: report.Waiting, ID: c.ID, Action: c.Action, Text: text})
	}
	world.Note = func(text string) { r.tell(report.Event{Kind: report.Note, ID: c.ID, Action: c.Action, Text: text}) }
	if err := res.Apply(r.context(c.ID), world, c); err != nil {
		return err
	}
	have, err := r.lookAgain(res, c.ID, world.Waiting)
	return became(c, have, err)
}

func (r *run) skip(c plan.Change, err error) report.Outcome {
	return r.leave(c, report.Skipped, err)
}

func (r *run) leave(c plan.Change, kind report.Kind, err error) report.Outcome {
	r.tell(report.Event{Kind: kind, ID: c.ID, Action: c.Action, Err: err})
	return report.Outcome{Change: c, Kind: kind, Err: err}
}

// passive reports whether a change only waits for somebody else, who may take a
// quarter of an hour: nobody is to stand in line behind that, or to suffer from it.
func (r *run) passive(id plan.ID) bool {
	p, ok := r.Resources[id].(interface{ ChangesNothing() bool })
	return ok && p.ChangesNothing()
}

func (r *run) hostBroken(id plan.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken[id.Host()]
}

func (r *run) tell(e report.Event) {
	e.Time = r.Now()
	r.Sink.Event(e)
}
