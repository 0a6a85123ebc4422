package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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
}

// Run carries out the plan and returns when every change is done, failed or
// skipped and no goroutine is left. A host's chain stops at its first failure;
// other hosts go on as far as they do not need it. What changes nothing takes no
// place on its host, and its failure stops nothing there but what needs it. A cancelled ctx starts nothing
// more.
func (e Engine) Run(ctx context.Context, p plan.Plan) report.Report {
	start := e.Now()
	r := &run{
		Engine: e, ctx: ctx, nodes: map[plan.ID]*node{}, hosts: map[string]*places{}, serial: map[string]*places{},
		batches: map[string]*batch{}, broken: map[string]error{},
	}
	r.link(p)
	r.wg.Wait()
	rep := report.Report{Took: e.Now().Sub(start)}
	for _, c := range p.Pending() {
		rep.Outcomes = append(rep.Outcomes, r.nodes[c.ID].outcome)
	}
	return rep
}

// node is one pending change in the graph.
type node struct {
	change  plan.Change
	needs   []*node       // what is pending before it
	rank    int           // how many changes the longest way behind it has
	done    chan struct{} // closed when outcome is final
	outcome report.Outcome
}

// run is the state of one Run.
type run struct {
	Engine
	ctx     context.Context
	nodes   map[plan.ID]*node
	hosts   map[string]*places
	serial  map[string]*places // one place a word
	batches map[string]*batch  // what is to be written on a host
	wg      sync.WaitGroup

	mu     sync.Mutex
	broken map[string]error // why nothing more is done on a host
}

// link makes the graph of what is pending and starts it. What is as wanted
// already holds nobody up.
func (r *run) link(p plan.Plan) {
	for _, c := range p.Pending() {
		r.nodes[c.ID] = &node{change: c, done: make(chan struct{})}
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
		r.wg.Go(func() {
			defer close(n.done)
			n.outcome = r.carryOut(n)
		})
	}
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
		for _, need := range n.needs {
			need.rank = max(need.rank, n.rank+1)
		}
		if at := r.places(c); len(n.needs) == 0 && len(at) > 0 && at[0] == r.hosts[c.ID.Host()] {
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
		before := map[*node]bool{}
		for _, id := range slices.Concat(c.Needs, c.Triggers) {
			if n := r.nodes[id]; n != nil {
				before[n] = true
				continue
			}
			maps.Copy(before, behind[id])
		}
		if n := r.nodes[c.ID]; n != nil {
			n.needs = slices.Collect(maps.Keys(before))
			continue
		}
		behind[c.ID] = before
	}
}

// carryOut waits for what a change needs, makes it, and tells how it ended.
func (r *run) carryOut(n *node) report.Outcome {
	c := n.change
	if err := n.awaitNeeds(); err != nil {
		return r.skip(c, err)
	}
	release, err := r.admit(n)
	if err != nil {
		return r.skip(c, err)
	}
	defer release()
	start := r.Now()
	r.tell(report.Event{Kind: report.Started, ID: c.ID, Action: c.Action, Text: c.Reason})
	err = r.make(c)
	took := r.Now().Sub(start)
	if err != nil {
		r.breakHost(c.ID, err)
		r.tell(report.Event{Kind: report.Failed, ID: c.ID, Action: c.Action, Err: err, Took: took})
		return report.Outcome{Change: c, Kind: report.Failed, Err: err, Took: took}
	}
	r.tell(report.Event{Kind: report.Done, ID: c.ID, Action: c.Action, Took: took})
	return report.Outcome{Change: c, Kind: report.Done, Took: took}
}

// awaitNeeds waits until everything the change needs is done. It needs no
// deadline of its own: each of those ends by its own.
func (n *node) awaitNeeds() error {
	for _, need := range n.needs {
		<-need.done
		if need.outcome.Kind != report.Done {
			return fmt.Errorf("needs %s, which was %s", need.change.ID, need.outcome.Kind)
		}
	}
	return nil
}

// places are what a change has to have a place in: one on its host, unless all of
// its kind takes one command or it only waits, and for what must not be disturbed twice at once,
// the only one there is; that first, so that nobody occupies a host while waiting
// for its turn.
func (r *run) places(c plan.Change) []*places {
	var out []*places
	if c.Serial != "" && c.Action != plan.Create {
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
	if err := errors.Join(r.ctx.Err(), r.hostBroken(n.change.ID)); err != nil {
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
	if err := res.Apply(r.ctx, world, c); err != nil {
		return err
	}
	have, err := r.observe(res, c.ID)
	return became(c, have, err)
}

func lookError(err error) error {
	return fmt.Errorf("it was changed, but looking again failed: %w", err)
}

// became tells whether what is seen after a change is what was wanted.
func became(c plan.Change, have plan.State, err error) error {
	if err != nil {
		return lookError(err)
	}
	if !have.Equal(c.Want) {
		again, err := plan.Diff("", []plan.Item{{ID: c.ID, Want: c.Want}}, map[plan.ID]plan.State{c.ID: have})
		if err != nil {
			return err
		}
		return fmt.Errorf("it was changed, but did not become as wanted: %s", again.Changes[0].Reason)
	}
	return nil
}

// observe looks at one thing anew.
func (r *run) observe(res resource.Resource, id plan.ID) (plan.State, error) {
	seen := resource.Seen{Cluster: r.World.Cluster}
	if name := id.Host(); name != plan.ClusterHost {
		snap, err := r.Look(r.ctx, name, res.Scope())
		if err != nil {
			return nil, err
		}
		seen.Hosts = map[string]facts.Snapshot{name: snap}
	}
	return res.Observe(r.ctx, seen)
}

func (r *run) skip(c plan.Change, err error) report.Outcome {
	r.tell(report.Event{Kind: report.Skipped, ID: c.ID, Action: c.Action, Err: err})
	return report.Outcome{Change: c, Kind: report.Skipped, Err: err}
}

func (r *run) breakHost(id plan.ID, err error) {
	if id.Host() == plan.ClusterHost || r.passive(id) {
		return // no machine, or nothing of it: what depends on it is skipped, nothing else
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken[id.Host()] == nil {
		r.broken[id.Host()] = fmt.Errorf("%s failed on this host: %w", id.What(), err)
	}
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
