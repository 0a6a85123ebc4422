package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/puppet"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
)

// look connects to each host and probes it, once, for all that is wanted there,
// when that is known.
func (s *Session) look(ctx context.Context, wanted <-chan struct{}) {
	scopes := sync.OnceValue(func() map[string][]facts.Scope {
		<-wanted
		all := map[string][]facts.Scope{}
		for _, r := range s.resources {
			name := r.Item().ID.Host()
			all[name] = append(all[name], r.Scope())
		}
		return all
	})
	defer scopes() // nobody may have been reached
	s.seen = map[string]facts.Snapshot{}
	var mu sync.Mutex
	see := func(look func(context.Context, *ssh.Conn, facts.Scope) (facts.Snapshot, error)) func(context.Context, *ssh.Conn) error {
		return func(ctx context.Context, conn *ssh.Conn) error {
			snap, err := look(ctx, conn, facts.Union(append(scopes()[conn.Name()], identity.Scope(), puppet.Scope())...))
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			s.seen[conn.Name()] = snap
			return nil
		}
	}
	whole, targets := ctx, s.targets()
	s.reach(ctx, targets, s.firstMasterFirst(ctx, targets, wanted), see(func(ctx context.Context, conn *ssh.Conn, scope facts.Scope) (facts.Snapshot, error) {
		return s.lookFirst(ctx, whole, conn, scope)
	}))
	if doubted := s.doubted(targets); len(doubted) > 0 {
		s.doubt(ctx, doubted...)
		s.reach(ctx, doubted, func(string) <-chan struct{} { return wanted }, see(s.lookAt))
	}
}

// doubting is how long a host that cannot be reached has until that is tried again, and
// then believed: a network that drops a packet, or an sshd with too many clients, is well
// by then.
const doubting = 3 * time.Second

// doubted are the hosts that are to be removed, unreachable as they are, and were so at
// the first try: what is on them is left behind for good, and in use if that was a moment's
// trouble.
func (s *Session) doubted(targets []ssh.Target) []ssh.Target {
	t := s.options.Nodes
	if !t.Unreachable || !t.removes() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(targets), func(to ssh.Target) bool { return !t.has(to.Name) || s.Away[to.Name] == nil })
}

// doubt waits until hosts are tried again, over connections of their own: those that there
// are may be what is broken. Only one by which the fleet's lock is held is kept.
func (s *Session) doubt(ctx context.Context, targets ...ssh.Target) {
	for _, t := range targets {
		if s.holding == nil {
			s.hangUp(t.Name)
		}
	}
	pause(ctx, doubting)
}

// unable warns of what could not be told of the cluster.
func (s *Session) unable(why string) {
	s.Warnings, s.Unseen = append(s.Warnings, why), append(s.Unseen, why)
}

// LookCutError says that a look was ended before all hosts had answered.
type LookCutError struct {
	Cause error
	Hosts []string // that had not, in the inventory's order
}

// mostSilent is how many hosts are named that had not answered.
const mostSilent = 10

func (e *LookCutError) Error() string {
	if len(e.Hosts) == 0 {
		return e.Cause.Error()
	}
	names := strings.Join(e.Hosts[:min(len(e.Hosts), mostSilent)], ", ")
	if more := len(e.Hosts) - mostSilent; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%v while these had not answered: %s", e.Cause, names)
}

func (e *LookCutError) Unwrap() error { return e.Cause }

// cutOff is why a look has ended early.
func (s *Session) cutOff(ctx context.Context) error {
	e := &LookCutError{Cause: context.Cause(ctx)}
	for _, t := range s.targets() {
		if _, answered := s.seen[t.Name]; !answered {
			e.Hosts = append(e.Hosts, t.Name)
		}
	}
	return e
}

// crowd are hosts of which one is lost among the others.
const crowd = 256

// leadTime is how long the others wait for the first master at most.
const leadTime = 50 * time.Millisecond

// firstMasterFirst has hosts of a crowd looked at when what is wanted is known and the
// first master was looked at: with what it holds the cluster can be asked meanwhile.
func (s *Session) firstMasterFirst(ctx context.Context, targets []ssh.Target, wanted <-chan struct{}) func(name string) <-chan struct{} {
	s.led = make(chan struct{})
	others := make(chan struct{})
	if len(targets) <= crowd || len(s.Cluster.KubeMasters) == 0 {
		return func(string) <-chan struct{} { return wanted }
	}
	go func() {
		defer close(others)
		<-wanted
		ctx, cancel := context.WithTimeout(ctx, leadTime)
		defer cancel()
		select {
		case <-s.led:
		case <-ctx.Done():
		}
	}()
	return func(name string) <-chan struct{} {
		if name == s.Cluster.KubeMasters[0].Name {
			return wanted
		}
		return others
	}
}

// lookFirst is the first look at a host. The first master is asked for the cluster's
// keys with the same command: it is the one that keeps them, unless something is
// wrong with it. With them the cluster is asked while the others are still looked at.
func (s *Session) lookFirst(ctx, whole context.Context, conn *ssh.Conn, scope facts.Scope) (facts.Snapshot, error) {
	if masters := s.Cluster.KubeMasters; len(masters) == 0 || conn.Name() != masters[0].Name {
		return s.lookAt(ctx, conn, scope)
	}
	defer close(s.led)
	snap, printed, err := facts.ProbeAfter(ctx, conn, scope, trust.Script())
	if err == nil {
		// Whoever has no whole bundle is no keeper, and who should have one is asked again.
		s.firstKeys, _ = trust.Parse(printed)
	}
	if s.firstKeys != nil && len(s.resources) > 0 {
		s.lookAhead(whole, conn, s.firstKeys)
	}
	return snap, err
}

// lookAgain is a look at a host that was connected to.
func (s *Session) lookAgain(ctx context.Context, name string, scope facts.Scope) (facts.Snapshot, error) {
	conn := s.conns[name]
	if conn == nil {
		return facts.Snapshot{}, fmt.Errorf("%s: no connection to it", name)
	}
	return s.lookAt(ctx, conn, scope)
}

// lookAt is one look at a host, or at what a BIG-IP's routing shell shows.
func (s *Session) lookAt(ctx context.Context, conn *ssh.Conn, scope facts.Scope) (facts.Snapshot, error) {
	for _, b := range s.Cluster.BigIPs {
		if b.Name == conn.Name() {
			return facts.RoutingShell(ctx, conn)
		}
	}
	return facts.Probe(ctx, conn, scope)
}
