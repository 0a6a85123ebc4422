package provision

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/droverctl/drover/provision/internal/lock"
	"github.com/droverctl/drover/provision/internal/puppet"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// neighbours are the Puppet agents of the hosts that a run changes. For the time of its
// changes each is disabled.
type neighbours struct {
	session *Session
	hold    puppet.Hold
	sink    report.Sink

	mu   sync.Mutex
	held map[string]puppet.Agent // by host
}

// neighbours are those of a run.
func (s *Session) neighbours(run, command string, sink report.Sink) *neighbours {
	me := lock.Me(run, command)
	return &neighbours{session: s, sink: sink, held: map[string]puppet.Agent{}, hold: puppet.Hold{
		Run:    puppet.Run{ID: run, Owner: me.Owner, What: command, Since: s.options.Now()},
		Caller: puppet.Self("/proc"),
		Wait:   s.Cluster.Puppet.Wait.Duration(), For: s.Cluster.Puppet.Hold.Duration(),
	}}
}

// runID is the run that is under way, as hosts are told of it.
func (s *Session) runID() string {
	if s.holding == nil {
		return ""
	}
	return s.holding.Claim.Run
}

// enter keeps a host's agent from running, when there is one. It asks the host nothing
// when there is none, as the first look has told.
func (n *neighbours) enter(ctx context.Context, name string, waiting func(string)) error {
	s := n.session
	program := s.puppetOf(name)
	conn := s.conns[name]
	if program == "" || conn == nil || !s.Cluster.Puppet.Disable {
		return nil
	}
	hold := n.hold
	hold.Waiting, hold.Say = waiting, func(text string) { n.tell(report.Note, text) }
	a, err := hold.Take(ctx, conn, s.agent(name, program))
	if a.Lock != "" {
		n.mu.Lock()
		n.held[name] = a
		n.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("%w (puppet { disable = false } has drover look at no agent)", err)
	}
	return nil
}

// entering readies a host for its changes: its agent does not run, and its fact, which
// tells of them when all are made, is marked until then.
func (s *Session) entering(p plan.Plan, n *neighbours) func(ctx context.Context, name string, waiting func(string)) error {
	moves := map[string]bool{} // hosts' facts
	for _, c := range p.Pending() {
		if name := c.ID.Host(); c.ID == resource.FactID(name) && c.Before != nil {
			moves[name] = true
		}
	}
	return func(ctx context.Context, name string, waiting func(string)) error {
		if err := n.enter(ctx, name, waiting); err != nil || !moves[name] {
			return err
		}
		return resource.Changing(ctx, s.conns[name])
	}
}

// releaseLimit bounds the way to a host whose agent is to be enabled.
const releaseLimit = 20 * time.Second

// leave enables a host's agent, if this run has disabled it. It is not under the fleet's
// lock, so that it works when that is lost as well: another run has a reason of its own.
func (n *neighbours) leave(ctx context.Context, name string) {
	n.mu.Lock()
	a, held := n.held[name]
	delete(n.held, name)
	n.mu.Unlock()
	if !held {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	if err := puppet.Release(ctx, n.session.conns[name], a, n.hold.Run.ID); err != nil {
		n.tell(report.Warning, fmt.Sprintf("Puppet's agent on %s may stay disabled: %v; it is enabled by the next run of drover, or by the host itself %s after it was disabled",
			name, err, n.hold.For))
	}
}

func (n *neighbours) tell(kind report.Kind, text string) {
	n.sink.Event(report.Event{Time: n.session.options.Now(), Kind: kind, Text: text})
}

// agent is what is known of a host's agent.
func (s *Session) agent(name, program string) puppet.Agent {
	s.agentsMu.Lock()
	defer s.agentsMu.Unlock()
	if a, known := s.agents[name]; known && a.Program == program {
		return a
	}
	return puppet.Agent{Program: program}
}

// puppetOf is a host's Puppet, as the look at it has told; that at a machine which the
// inventory does not name is another one.
func (s *Session) puppetOf(name string) string {
	if snap, looked := s.seen[name]; looked {
		return puppet.Program(snap)
	}
	s.agentsMu.Lock()
	defer s.agentsMu.Unlock()
	return s.agents[name].Program
}

func (s *Session) knowAgent(name string, a puppet.Agent) {
	s.agentsMu.Lock()
	defer s.agentsMu.Unlock()
	s.agents[name] = a
}
