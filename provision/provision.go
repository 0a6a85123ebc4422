package provision

import (
	"context"
	"fmt"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/engine"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Options are what a run is told besides the inventory. The zero value is usable.
type Options struct {
	SSH ssh.Options
	// Parallel is how many hosts are connected to and looked at at once; 0 is 128.
	Parallel int
	// PerHost is how many changes run on one host at once; 0 is 4.
	PerHost int
	Now     func() time.Time
}

// Session is one run: the connections to the hosts and what was seen of them.
type Session struct {
	Cluster *inventory.Cluster
	// Away are the hosts that could not be reached, and why.
	Away map[string]error
	// Warnings are what stood in the way of a full look.
	Warnings []string

	options   Options
	conns     map[string]*ssh.Conn
	seen      map[string]facts.Snapshot
	verdict   identity.Verdict
	uid       string // of the cluster, once there is one
	access    *cluster.Access
	kept      desired.Kept
	resources []resource.Resource
	calico    []byte // its release manifest
}

// Open connects to every host of the inventory and looks at each, once. Hosts
// that cannot be reached are in Away; it fails when what was seen must not be
// touched, or when there is nothing to work from.
func Open(ctx context.Context, c *inventory.Cluster, o Options) (*Session, error) {
	s := &Session{Cluster: c, options: o.filled()}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) open(ctx context.Context) (err error) {
	bundle, err := trust.Generate(s.options.Now()) // for a cluster that begins
	if err != nil {
		return err
	}
	var unready error
	s.resources, unready = s.want(ctx, bundle) // what is wanted says where to look
	s.connect(ctx, s.targets())
	s.look(ctx)
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
	s.access = s.reach(ctx, bundle)
	if err := s.meet(ctx); err != nil {
		return s.withAway(err)
	}
	s.resources, err = s.want(ctx, bundle) // and now that it is known what there is
	return err
}

// Plan compares what is wanted with what was seen. It changes nothing.
func (s *Session) Plan(ctx context.Context) (plan.Plan, error) {
	have, err := s.observe(ctx)
	if err != nil {
		return plan.Plan{}, err
	}
	items := make([]plan.Item, len(s.resources))
	for i, r := range s.resources {
		items[i] = r.Item()
	}
	p, err := plan.Diff(s.Cluster.Name, items, have)
	p.Standing, p.UID = s.Standing(), s.uid
	p.ByHand = desired.ByHand(s.Cluster, p, nil)
	return p, err
}

// Apply carries a plan of this session out, looking again after each change.
func (s *Session) Apply(ctx context.Context, p plan.Plan, sink report.Sink) report.Report {
	s.access.Open() // from here on there is a cluster to ask
	writers := map[string]host.Writer{}
	for name, c := range s.conns {
		writers[name] = c
	}
	byID := map[plan.ID]resource.Resource{}
	for _, r := range s.resources {
		byID[r.Item().ID] = r
	}
	releases := artifact.NewStore(s.fetcher())
	defer releases.Close() // what is in it has no name and can be had again
	e := engine.Engine{
		Resources: byID, World: resource.World{Hosts: writers, Cluster: s.access, Releases: releases},
		Sink: sink, Now: s.options.Now, PerHost: s.options.PerHost, Look: s.lookAt,
	}
	r := s.settle(ctx, e.World, p, e.Run(ctx, p), sink)
	r.ByHand = desired.ByHand(s.Cluster, p, r.Outcomes)
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
		if err := gate.Apply(ctx, w, c); err != nil {
			sink.Event(report.Event{Time: s.options.Now(), Kind: report.Failed, ID: c.ID, Action: c.Action, Err: err})
			r.Outcomes = append(r.Outcomes, report.Outcome{Change: c, Kind: report.Failed, Err: err})
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
	if s.access != nil {
		s.access.Close()
	}
	for _, c := range s.conns {
		c.Close()
	}
}

// Standing tells whether the cluster is "new", "beginning" or "existing".
func (s *Session) Standing() string { return string(s.verdict.Standing) }

// want is everything the inventory asks of the hosts that are not away.
func (s *Session) want(ctx context.Context, bundle *trust.Bundle) ([]resource.Resource, error) {
	lock, manifest, err := s.artifacts(ctx)
	if err != nil {
		return nil, err
	}
	rs, err := desired.Build(desired.Inputs{
		Cluster: s.Cluster, Lock: lock, Bundle: bundle, CalicoManifest: manifest,
		NewCluster: s.verdict.Standing != identity.Existing, Kept: s.kept, Now: s.options.Now,
		Away: func(name string) bool { return s.Away[name] != nil },
	})
	if err != nil {
		return nil, fmt.Errorf("what the inventory asks for: %w", err)
	}
	return rs, nil
}

func (o Options) filled() Options {
	if o.Parallel == 0 {
		o.Parallel = 128
	}
	if o.PerHost == 0 {
		o.PerHost = 4
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
