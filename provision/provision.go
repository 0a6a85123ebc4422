package provision

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/engine"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/lock"
	"github.com/droverctl/drover/provision/internal/puppet"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Options are what a run is told besides the inventory. The zero value is usable.
type Options struct {
	SSH ssh.Options
	// SudoPassword is for hosts of which the inventory says none; nil when there is
	// none for them.
	SudoPassword func(context.Context) (string, error)
	// Parallel is how many hosts are connected to and looked at at once; 0 is 512.
	Parallel int
	// PerHost is how many changes run on one host at once; 0 is 4.
	PerHost int
	// Verify is whether every installed file is digested, to tell whether it is what was
	// installed; else its size, times and inode tell.
	Verify bool
	// Grace is how long what is under way may take to end when the run is stopped;
	// 0 is 30 s.
	Grace time.Duration
	// Nodes is what is done to nodes besides, or instead of, what the inventory asks.
	Nodes NodeTask
	Now   func() time.Time
	// Sink is told of each host that is connected to and looked at; may be nil.
	Sink report.Sink
	// Command is told of every command that a host was asked to run, when it has
	// ended, from many goroutines; may be nil.
	Command func(report.Command)
	// Warn is told of what stands in the way of the first look, from any goroutine; may
	// be nil.
	Warn func(string)

	attestor *attestor // shared by all sessions of a run; nil where PuppetDB is not asked
}

// Session is one run: the connections to the hosts and what was seen of them.
type Session struct {
	Cluster *inventory.Cluster
	// Away are the hosts that could not be reached, and why.
	Away map[string]error
	// Warnings are what stood in the way of a full look, and what somebody should know;
	// Unseen are those of them that are about the cluster and left something untold.
	Warnings, Unseen []string

	options   Options
	conns     map[string]*ssh.Conn
	at        map[string]netip.Addr // where those were reached that the inventory does not name
	seen      map[string]facts.Snapshot
	verdict   identity.Verdict
	uid       string        // of the cluster, once there is one
	firstKeys *trust.Bundle // that the first master holds; nil when it holds none that is whole
	access    *cluster.Access
	glance    *cluster.Access // at the moment of the look, for the first plan; nil once that is made
	led       chan struct{}   // closed when the first master was looked at
	ahead     *ahead          // what was asked meanwhile, for the first plan; nil once that is made
	kept      desired.Kept
	joining   []desired.Joiner // masters that are to become members of etcd
	strays    []etcd.Member    // that go before
	resources []resource.Resource
	items     []plan.Item // of the resources
	rendered  desired.Renderings
	calico    []byte           // its release manifest
	masters   []string         // that there are, whatever the inventory says
	holding   *lock.Held       // nil: nothing may be changed, unless
	unlocked  bool             // nobody can have the lock
	members   []cluster.Member // that the cluster knows, whatever the inventory says
	leaving   []removal.Node
	stayed    []string         // of those, and of whom was to be drained: how they are left
	gone      map[string]error // why hosts could not be reached that are removed for that

	agents   map[string]puppet.Agent // Puppet's, of the hosts of which it was asked where its files are
	agentsMu *sync.Mutex

	surveyed   map[string]Facts // hosts that a plan would touch; nil before they were asked
	surveyedOf map[string]bool  // which those are

	mu    *sync.Mutex
	wiped []string // hosts that nothing else of drover's is on any more
}

// Open connects to every host of the inventory and looks at each, once. Hosts
// that cannot be reached are in Away; it fails when what was seen must not be
// touched, or when there is nothing to work from.
func Open(ctx context.Context, c *inventory.Cluster, o Options) (*Session, error) {
	s := begin(c, o)
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// begin is a session without connections. It has to be closed.
func begin(c *inventory.Cluster, o Options) *Session {
	o = o.filled()
	if o.attestor == nil {
		o.attestor = newAttestor(c, o)
	}
	if c.SSH.ConfigFile != "" {
		o.SSH.ConfigFiles = []string{c.SSH.ConfigFile}
	}
	return &Session{Cluster: c, options: o, gone: map[string]error{}, at: map[string]netip.Addr{}, mu: &sync.Mutex{}, agents: map[string]puppet.Agent{}, agentsMu: &sync.Mutex{}}
}

func (s *Session) open(ctx context.Context) (err error) {
	bundle, err := trust.Generate(s.options.Now()) // for a cluster that begins
	if err != nil {
		return err
	}
	// What is wanted says where to look; it is worked out while hosts are connected to.
	var unready error
	wanted := make(chan struct{})
	go func() {
		defer close(wanted)
		s.resources, unready = s.want(ctx, bundle, nil)
	}()
	s.look(ctx, wanted)
	if ctx.Err() != nil { // what was not seen then is not away
		return s.cutOff(ctx)
	}
	if err := identity.Refused(s.Cluster, s.seen); err != nil {
		return s.withAway(err)
	}
	// Only now: nobody is to lock the releases of a version that is refused.
	if unready != nil {
		return unready
	}
	if s.verdict, err = identity.Of(s.Cluster, s.seen); err != nil {
		return s.withAway(err)
	}
	if err := s.trust(ctx, bundle); err != nil {
		return err
	}
	items := make(chan []plan.Item, 1) // written down while the cluster is asked
	go func(of []resource.Resource) { items <- itemsOf(of) }(s.resources)
	s.access = s.meeting(ctx, bundle)
	if err := s.meet(ctx); err != nil {
		return s.withAway(err)
	}
	if s.widens() {
		return s.Again(ctx)
	}
	if err := s.resolve(ctx, bundle); err != nil {
		return s.withAway(err)
	}
	s.warnOfUnreset(ctx)
	s.warnOfExcluded()
	if len(s.Away) > 0 || !s.kept.Nobody() || len(s.joining) > 0 || s.options.Nodes.Verb != "" || s.Cluster.Capacity.Reserves() { // else it is what was wanted at first
		if s.resources, err = s.want(ctx, bundle, s.Away); err != nil {
			return err
		}
		s.items = itemsOf(s.resources)
		return nil
	}
	s.items = <-items
	return nil
}

func itemsOf(rs []resource.Resource) []plan.Item {
	items := make([]plan.Item, len(rs))
	for i, r := range rs {
		items[i] = r.Item()
	}
	return items
}

// Plan compares what is wanted with what was seen. It changes nothing.
func (s *Session) Plan(ctx context.Context) (plan.Plan, error) {
	have, err := s.observe(ctx)
	if err != nil {
		return plan.Plan{}, err
	}
	p, err := plan.Diff(s.Cluster.Name, s.items, have)
	p.Standing, p.UID = s.Standing(), s.uid
	p.ByHand = s.byHand(p, nil)
	return p, err
}

// Apply carries a plan of the lock's session out, looking again after each change.
// It ends when the lock is lost.
func (l *Lock) Apply(p plan.Plan, sink report.Sink) report.Report {
	s, ctx := l.session, l.held.Context()
	if l.begin(); len(l.run.Leaving) > 0 {
		<-l.begun // who goes on with this run may find them by that alone
	}
	s.access.Open() // from here on there is a cluster to ask
	writers := map[string]host.Writer{}
	for name, c := range s.conns {
		writers[name] = c
	}
	byID := map[plan.ID]resource.Resource{}
	for i, r := range s.resources {
		byID[s.items[i].ID] = r
	}
	releases := artifact.NewStore(s.fetcher())
	defer releases.Close() // what is in it has no name and can be had again
	peers := s.peers(p, byID, sink)
	if peers != nil {
		defer peers.End(ctx)
	}
	e := engine.Engine{
		Resources: byID, World: resource.World{Hosts: writers, Cluster: s.access, Releases: releases, Peers: peers},
		Sink: sink, Now: s.options.Now, PerHost: s.options.PerHost, Grace: s.options.Grace, Look: s.lookAgain,
	}
	neighbours := s.neighbours(l.run.Run, l.run.Command, sink)
	e.Enter, e.Leave = s.entering(p, neighbours), neighbours.leave
	r := s.settle(ctx, e.World, p, e.Run(ctx, p), sink)
	s.wiped = append(s.wiped, s.bareAlready(p)...)
	r.ByHand = s.byHand(p, r.Outcomes)
	s.stayed = s.leave(ctx, p, r)
	for _, t := range s.targets() {
		if s.Away[t.Name] != nil {
			r.Away = append(r.Away, t.Name)
		}
	}
	return r
}

// settle looks again at the conditions that were met before the run: a change
// somewhere else may have upset them for a while. Only what is well then is done.
func (s *Session) settle(ctx context.Context, w resource.World, p plan.Plan, r report.Report, sink report.Sink) report.Report {
	if len(r.Outcomes) == 0 || len(r.Failed()) > 0 {
		return r
	}
	start := s.options.Now()
	gates := s.gates()
	for _, c := range p.Changes {
		gate, ok := gates[c.ID]
		if !ok || c.Action != plan.NoOp {
			continue
		}
		w.Waiting = func(text string) {
			sink.Event(report.Event{Time: s.options.Now(), Kind: report.Waiting, ID: c.ID, Action: c.Action, Text: text})
		}
		began := s.options.Now()
		if err := resource.Explained(ctx, gate, w, gate.Apply(ctx, w, c)); err != nil {
			kind := report.Failed
			if ctx.Err() != nil {
				kind, r.Stopped = report.Cut, context.Cause(ctx)
			}
			took := s.options.Now().Sub(began)
			sink.Event(report.Event{Time: s.options.Now(), Kind: kind, ID: c.ID, Action: c.Action, Err: err, Took: took})
			r.Outcomes = append(r.Outcomes, report.Outcome{Change: c, Kind: kind, Err: err, Took: took})
		}
	}
	r.Took += s.options.Now().Sub(start)
	return r
}

func (s *Session) gates() map[plan.ID]resource.Gate {
	gates := map[plan.ID]resource.Gate{}
	for _, r := range s.resources {
		if g, ok := r.(resource.Gate); ok {
			gates[g.Item().ID] = g
		}
	}
	return gates
}

// Close ends the connections.
func (s *Session) Close() {
	s.ahead.end()
	if s.access != nil {
		s.access.Close()
	}
	var all sync.WaitGroup
	for _, c := range s.conns {
		all.Go(func() { c.Close() })
	}
	all.Wait()
	if s.options.SSH.Jumps != nil {
		s.options.SSH.Jumps.Close()
	}
}

// Standing tells whether the cluster is "new", "beginning" or "existing".
func (s *Session) Standing() string { return string(s.verdict.Standing) }

// want is everything the inventory asks of the hosts that are not away, or all that
// a run about some nodes is to do. Of nodes that are to go nothing is asked; what
// takes them away is known when they were found.
func (s *Session) want(ctx context.Context, bundle *trust.Bundle, away map[string]error) ([]resource.Resource, error) {
	task := s.options.Nodes
	if task.inService() {
		return s.service(), nil
	}
	steps := removal.Steps{}
	if len(s.leaving) > 0 {
		steps = s.removal()
	}
	in := desired.Inputs{
		Cluster: s.remaining(), Bundle: bundle, Kept: s.kept, Joining: s.joining, Strays: s.strays, Now: s.options.Now, Drained: steps.Drained, Gone: steps.Gone,
		Former:     s.former(steps),
		NewCluster: func() bool { return s.verdict.Standing != identity.Existing },
		Away:       func(name string) bool { return away[name] != nil }, Rendered: &s.rendered, Verify: s.options.Verify,
		Leaving: s.leavingMasters(), Emptied: steps.Emptied, Run: s.runID,
	}
	if away != nil { // hosts were looked at
		in.Machine = func(name string) (int, int64) { return s.seen[name].CPUs, s.seen[name].Memory }
	}
	var lists []resource.Resource
	if task.Verb == NodeRemove && task.onLists(s.Cluster) { // also before it is known who goes: what is wanted says where to look
		var err error
		there := in
		there.Cluster = s.present()
		there.Lock = s.locked()
		if lists, err = desired.Balancers(there); err != nil {
			return nil, err
		}
	}
	if task.limited() {
		in.Only = task.has
		in.Away = func(name string) bool { return away[name] != nil || hostNames(s.Cluster)[name] && !task.has(name) }
	}
	if task.Verb == NodeRemove {
		return slices.Concat(lists, desired.Peerings(in), steps.Resources), nil
	}
	var err error
	if in.Lock, in.CalicoManifest, err = s.artifacts(ctx); err != nil {
		return nil, err
	}
	rs, err := desired.Build(in)
	if err != nil {
		return nil, fmt.Errorf("what the inventory asks for: %w", err)
	}
	return append(rs, steps.Resources...), nil
}

func (o Options) filled() Options {
	if o.Parallel == 0 {
		o.Parallel = 512
	}
	if o.PerHost == 0 {
		o.PerHost = 4
	}
	// What all connections of a run share.
	if o.SSH.Files == nil {
		o.SSH.Files = &ssh.Files{}
	}
	if o.SSH.Jumps == nil {
		o.SSH.Jumps = &ssh.Jumps{}
	}
	if o.SSH.Keys == nil {
		o.SSH.Keys = &ssh.Keys{}
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	if o.Command != nil {
		o.SSH.Trace = func(t ssh.Trace) {
			o.Command(report.Command{
				Host: t.Host, Text: t.Cmd, Start: t.Start, Took: t.Took, Exit: t.Exit, Err: t.Err, Sent: t.Sent, Received: t.Received,
			})
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
