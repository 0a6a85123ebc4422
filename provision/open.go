package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// connect opens one connection to each, all at once.
func (s *Session) connect(ctx context.Context, targets []ssh.Target) {
	s.conns, s.Away = map[string]*ssh.Conn{}, map[string]error{}
	var mu sync.Mutex
	s.each(targets, func(t ssh.Target) {
		conn, err := ssh.Dial(ctx, t, s.options.SSH)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			s.Away[t.Name] = err
			return
		}
		s.conns[t.Name] = conn
	})
}

// targets are how the hosts are reached, and the BIG-IPs that drover configures.
func (s *Session) targets() []ssh.Target {
	var targets []ssh.Target
	for _, h := range s.Cluster.Hosts() {
		targets = append(targets, target(h.Name, h.Address, h.SSH))
	}
	for _, b := range s.Cluster.BigIPs {
		if b.Manage == inventory.ManageSSH {
			targets = append(targets, target(b.Name, b.PeerAddress, b.SSH))
		}
	}
	return targets
}

func target(name string, address netip.Addr, how inventory.SSH) ssh.Target {
	t := ssh.Target{
		Name: name, Address: cmp.Or(how.Address, address.String()),
		User: how.User, Port: how.Port, Become: ssh.Become(how.Become), Jump: how.Jump,
		IdentityFile: how.IdentityFile, KnownHosts: how.KnownHosts, HostKey: how.HostKey,
	}
	if how.BecomePassword.IsSet() {
		t.SudoPassword = func(context.Context) (string, error) { return how.BecomePassword.Reveal(), nil }
	}
	return t
}

// look probes each host that was reached, once, for all that is wanted there.
func (s *Session) look(ctx context.Context) {
	scopes := map[string]facts.Scope{}
	for _, r := range s.resources {
		name := r.Item().ID.Host()
		scopes[name] = scopes[name].And(r.Scope())
	}
	s.seen = map[string]facts.Snapshot{}
	away := map[string]error{}
	var mu sync.Mutex
	s.each(s.targets(), func(t ssh.Target) {
		if s.Away[t.Name] != nil {
			return
		}
		snap, err := s.lookAt(ctx, t.Name, scopes[t.Name].And(identity.Scope()))
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			away[t.Name] = err
			return
		}
		s.seen[t.Name] = snap
	})
	maps.Copy(s.Away, away)
}

// lookAt is one look at a host, or at what a BIG-IP's routing shell shows.
func (s *Session) lookAt(ctx context.Context, name string, scope facts.Scope) (facts.Snapshot, error) {
	conn := s.conns[name]
	if conn == nil {
		return facts.Snapshot{}, fmt.Errorf("%s: no connection to it", name)
	}
	for _, b := range s.Cluster.BigIPs {
		if b.Name == name {
			return facts.RoutingShell(ctx, conn)
		}
	}
	return facts.Probe(ctx, conn, scope)
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
	errs := []error{err}
	for _, name := range slices.Sorted(maps.Keys(s.Away)) {
		errs = append(errs, s.Away[name])
	}
	return errors.Join(errs...)
}

// trust replaces the bundle, made for a cluster that begins, by that of the one
// that exists.
func (s *Session) trust(ctx context.Context, bundle *trust.Bundle) error {
	if s.verdict.Keeper == "" {
		return nil
	}
	read, err := trust.Read(ctx, s.conns[s.verdict.Keeper])
	if err != nil {
		return err
	}
	*bundle = *read
	s.uid = bundle.UID()
	return nil
}

// reach is the way to the cluster. One whose API does not answer is not asked
// anything before it has been repaired.
func (s *Session) reach(ctx context.Context, bundle *trust.Bundle) *cluster.Access {
	if s.verdict.Standing != identity.Existing {
		return s.way(bundle)
	}
	a := s.way(bundle)
	a.Open()
	if _, err := a.API(ctx); err != nil {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the cluster's API could not be asked, so what it holds is not known: %v", err))
		a.Close()
		return s.way(bundle)
	}
	return a
}

// way is the way to the cluster, not yet open.
func (s *Session) way(bundle *trust.Bundle) *cluster.Access {
	a := &cluster.Access{Port: uint16(s.Cluster.API.Port), Bundle: bundle, Now: s.options.Now} //nolint:gosec // a validated port
	for _, m := range s.Cluster.KubeMasters {
		if conn := s.conns[m.Name]; conn != nil {
			a.Masters = append(a.Masters, cluster.Master{Name: m.Name, Address: m.Address, Dial: conn.DialContext})
		}
	}
	return a
}

// observers is how many things are observed at once; those on hosts cost nothing,
// those in the API a request or two.
const observers = 32

// observe tells how each thing is now.
func (s *Session) observe(ctx context.Context) (map[plan.ID]plan.State, error) {
	seen := resource.Seen{Hosts: s.seen, Cluster: s.access}
	have := make(map[plan.ID]plan.State, len(s.resources))
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(observers)
	for _, r := range s.resources {
		g.Go(func() error {
			id := r.Item().ID
			state, err := r.Observe(ctx, seen)
			if err != nil {
				return fmt.Errorf("looking at %s: %w", id, err)
			}
			mu.Lock()
			defer mu.Unlock()
			have[id] = state
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
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
