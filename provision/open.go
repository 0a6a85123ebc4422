package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// spread is within which time the first connections are begun: a firewall or a
// bastion takes a hundred at the same instant for an attack.
const spread = 50 * time.Millisecond

// reach opens one connection to each host, all at once within the limit, and does
// something with it as soon as it is known what: nobody waits for the slowest to
// connect, and meanwhile the next ones are connected to. One that there is is used
// again, and those to others stay: the fleet's lock may be held by way of one, and a node
// that the inventory does not name is reached by itself.
func (s *Session) reach(ctx context.Context, targets []ssh.Target, known func(name string) <-chan struct{}, then func(context.Context, *ssh.Conn) error) {
	s.askForKeys(ctx, targets)
	had := s.conns
	s.conns, s.Away = maps.Clone(had), maps.Clone(s.Away)
	if s.conns == nil {
		s.conns = map[string]*ssh.Conn{}
	}
	if s.Away == nil {
		s.Away = map[string]error{}
	}
	for _, t := range targets {
		delete(s.conns, t.Name)
		delete(s.Away, t.Name)
	}
	var mu sync.Mutex
	waiting := s.await()
	defer waiting.end()
	turns := make(chan struct{}, s.options.Parallel)
	one := func(t ssh.Target) error {
		ctx, one := waiting.on(ctx, t.Name)
		defer one.done()
		t.Watch = one.heard
		conn := had[t.Name]
		if conn == nil {
			var err error
			if conn, err = ssh.Dial(ctx, t, s.options.SSH); err != nil {
				return err
			}
		}
		one.connected()
		mu.Lock()
		s.conns[t.Name] = conn
		mu.Unlock()
		if then == nil {
			return nil
		}
		<-turns
		select {
		case <-known(t.Name):
		case <-ctx.Done():
		}
		turns <- struct{}{}
		one.asked(conn)
		return then(ctx, conn)
	}
	var all sync.WaitGroup
	for _, t := range targets {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			begun := s.hostStarted(s.options.Sink, t.Name, looking)
			if len(targets) > few {
				pause(ctx, rand.N(spread))
			}
			err := one(t)
			if err != nil {
				mu.Lock()
				s.Away[t.Name] = err
				mu.Unlock()
			}
			if err != nil || then != nil {
				s.hostEnded(s.options.Sink, t.Name, looking, begun, err)
			}
		})
	}
	all.Wait()
}

// few are hosts that nobody minds being connected to at the same instant.
const few = 16

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// hostStarted tells that something is done to a host as a whole.
func (s *Session) hostStarted(sink report.Sink, name, what string) time.Time {
	now := s.options.Now()
	if sink != nil {
		sink.Event(report.Event{Time: now, Kind: report.HostStarted, Host: name, Text: what})
	}
	return now
}

// hostEnded tells how that ended.
func (s *Session) hostEnded(sink report.Sink, name, what string, begun time.Time, err error) {
	if sink == nil {
		return
	}
	now, kind := s.options.Now(), report.HostDone
	if err != nil {
		kind = report.HostFailed
	}
	sink.Event(report.Event{Time: now, Kind: kind, Host: name, Text: what, Err: err, Took: now.Sub(begun)})
}

// looking is what is done to each host at first.
const looking = "look"

// targets are how the hosts are reached that the run has to do with, and the BIG-IPs
// that drover configures.
func (s *Session) targets() []ssh.Target {
	var targets []ssh.Target
	for _, h := range s.Cluster.Hosts() {
		targets = append(targets, s.target(h.Name, h.Address, h.SSH))
	}
	for _, b := range s.Cluster.BigIPs {
		if b.Manage == inventory.ManageSSH {
			targets = append(targets, s.target(b.Name, b.PeerAddress, b.SSH))
		}
	}
	return slices.DeleteFunc(targets, func(t ssh.Target) bool { return !s.options.Nodes.Concerns(s.Cluster, t.Name) })
}

func (s *Session) target(name string, address netip.Addr, how inventory.SSH) ssh.Target {
	t := ssh.Target{
		Name: name, Address: cmp.Or(how.Address, address.String()),
		User: how.User, Port: how.Port, Become: ssh.Become(how.Become), Jump: how.Jump,
		IdentityFile: how.IdentityFile, KnownHosts: how.KnownHosts, HostKey: how.HostKey,
		Attested: s.attested(name),
	}
	if t.SudoPassword = s.options.SudoPassword; how.BecomePassword.IsSet() {
		t.SudoPassword = func(context.Context) (string, error) { return how.BecomePassword.Reveal(), nil }
	}
	return t
}

// each does the same for all hosts at once, within the limit.
func (s *Session) each(targets []ssh.Target, do func(ssh.Target)) {
	var g errgroup.Group
	g.SetLimit(s.options.Parallel)
	for _, t := range targets {
		g.Go(func() error {
			do(t)
			return nil
		})
	}
	_ = g.Wait() // do reports by itself
}

// withAway adds why hosts are away to an error that comes of it.
func (s *Session) withAway(err error) error {
	var away awayErrors
	for _, name := range slices.Sorted(maps.Keys(s.Away)) {
		away = append(away, s.Away[name])
	}
	if len(away) > mostAway {
		return errors.Join(err, away)
	}
	return errors.Join(append([]error{err}, away...)...)
}

// awayErrors are why many hosts are away. Some are told.
type awayErrors []error

// mostAway is how many are told.
const mostAway = 10

func (a awayErrors) Unwrap() []error { return a }

func (a awayErrors) Error() string {
	return fmt.Sprintf("%v\nand %d more hosts are away", errors.Join(a[:mostAway]...), len(a)-mostAway)
}

// trust replaces the bundle, made for a cluster that begins, by that of the one
// that exists.
func (s *Session) trust(ctx context.Context, bundle *trust.Bundle) error {
	if s.verdict.Keeper == "" {
		return nil
	}
	read := s.firstKeys
	if read == nil || s.verdict.Keeper != s.Cluster.KubeMasters[0].Name {
		var err error
		if read, err = trust.Read(ctx, s.conns[s.verdict.Keeper]); err != nil {
			return err
		}
	}
	*bundle = *read
	s.uid = bundle.UID()
	return nil
}

// meeting is the way to the cluster. One whose API does not answer is not asked
// anything before it has been repaired.
func (s *Session) meeting(ctx context.Context, bundle *trust.Bundle) *cluster.Access {
	if s.verdict.Standing != identity.Existing {
		return s.way(bundle)
	}
	a := s.way(bundle)
	a.Open()
	if _, err := a.API(ctx); err != nil {
		s.unable(fmt.Sprintf("the cluster's API could not be asked, so what it holds is not known: %v", err))
		a.Close()
		return s.way(bundle)
	}
	return a
}

// way is the way to the cluster, not yet open.
func (s *Session) way(bundle *trust.Bundle) *cluster.Access { return s.wayBy(bundle, s.conns) }

// wayBy is the way over these connections.
func (s *Session) wayBy(bundle *trust.Bundle, conns map[string]*ssh.Conn) *cluster.Access {
	a := &cluster.Access{Port: uint16(s.Cluster.API.Port), Bundle: bundle, Now: s.options.Now, Permit: s.permit} //nolint:gosec // a validated port
	for _, m := range s.Cluster.KubeMasters {
		if conn := conns[m.Name]; conn != nil {
			a.Masters = append(a.Masters, cluster.Master{Name: m.Name, Address: m.Address, Dial: conn.DialContext})
		}
	}
	// Who is to go is asked last: it stops answering on the way.
	slices.SortStableFunc(a.Masters, func(x, y cluster.Master) int { return cmp.Compare(s.goes(x.Name), s.goes(y.Name)) })
	return a
}

// goes is 1 for who is to be removed, and 0 for all others.
func (s *Session) goes(name string) int {
	if s.options.Nodes.removes() && s.options.Nodes.has(name) {
		return 1
	}
	return 0
}

// observers is how many things are observed at once; those on hosts cost nothing,
// those in the API a request or two.
const observers = 64

// observe tells how each thing is now.
func (s *Session) observe(ctx context.Context) (map[plan.ID]plan.State, error) {
	seen := resource.Seen{Hosts: s.seen}
	if s.access != nil {
		seen.Cluster = cmp.Or(s.glance, s.access.Glance())
		s.glance = nil
	}
	items, told := s.items, s.told()
	states := make([]plan.State, len(items))
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range observers {
		g.Go(func() error {
			for {
				i := len(items) - int(next.Add(1)) // the API's are the last ones: they take the longest
				if i < 0 || ctx.Err() != nil {
					return context.Cause(ctx)
				}
				var err error
				if state, ok := told[items[i].ID]; ok {
					states[i] = state
					continue
				}
				if states[i], err = s.resources[i].Observe(ctx, seen); err != nil {
					return fmt.Errorf("looking at %s: %w", items[i].ID, err)
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	have := make(map[plan.ID]plan.State, len(items))
	for i, item := range items {
		have[item.ID] = states[i]
	}
	return have, nil
}

// artifacts are the digests that are locked and the one release file that is
// needed here: Calico's manifest.
func (s *Session) artifacts(ctx context.Context) (artifact.Lock, []byte, error) {
	lock, err := artifact.ReadLock(s.Cluster.Artifacts.Lock)
	if err != nil {
		return lock, nil, err
	}
	if err := lock.Check(artifact.All(s.Cluster)); err != nil {
		return lock, nil, err
	}
	if s.calico == nil {
		s.calico, err = s.fetcher().Small(ctx, artifact.CalicoManifest(s.Cluster), lock)
	}
	return lock, s.calico, err
}

// locked is what is locked, without a digest when that is not all that there must be: who
// only takes nodes away needs none of it.
func (s *Session) locked() artifact.Lock {
	lock, err := artifact.ReadLock(s.Cluster.Artifacts.Lock)
	if err == nil {
		err = lock.Check(artifact.All(s.Cluster))
	}
	if err != nil {
		return artifact.Lock{}
	}
	return lock
}

// fetcher fetches from here.
func (s *Session) fetcher() artifact.Fetcher {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	return artifact.Fetcher{Cluster: s.Cluster, Client: &http.Client{
		Timeout:   10 * time.Minute,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second},
	}}
}

// LockArtifacts fetches every release of the inventory once and returns what
// their digests are.
func LockArtifacts(ctx context.Context, c *inventory.Cluster, told func(component, version, digest string)) error {
	s := Session{Cluster: c}
	lock, err := s.fetcher().MakeLock(ctx, artifact.All(c), func(r artifact.Release, digest string) { told(r.Component, r.Version, digest) })
	if err != nil {
		return err
	}
	return lock.Write(c.Artifacts.Lock)
}

// UnreachedMastersError says that a cluster cannot be begun while masters cannot
// be asked whether they already are one.
type UnreachedMastersError = identity.UnreachedMastersError
