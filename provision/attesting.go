package provision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/puppetdb"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// keysLimit is how long PuppetDB is waited for: all hosts that have a certname wait.
const keysLimit = 20 * time.Second

// fromTheFuture is by how much a fact may be newer than the answer that has it.
const fromTheFuture = 5 * time.Minute

// attestor tells hosts' SSH host keys by PuppetDB's ssh facts. A run asks once for the
// hosts that it is about to connect to, and goes on without when it gets no answer.
type attestor struct {
	settings inventory.PuppetDB
	warn     func(string)
	now      func() time.Time

	mu    sync.Mutex
	asked map[string]*question // by certname
}

// question is one that was asked, or is.
type question struct {
	done chan struct{} // closed when keys and err are there
	keys map[string]puppetdb.HostKeys
	err  error
}

// newAttestor is nil where PuppetDB is not to be asked.
func newAttestor(c *inventory.Cluster, o Options) *attestor {
	if c.PuppetDB.URL == "" || !c.PuppetDB.HostKeys {
		return nil
	}
	return &attestor{settings: c.PuppetDB, warn: o.Warn, now: o.Now, asked: map[string]*question{}}
}

// about is the certname by which PuppetDB is asked about a host; "" when it is not.
func (a *attestor) about(h inventory.Host) string {
	if a == nil || h.SSH.HostKey != "" {
		return ""
	}
	return h.Certname
}

// begin asks about hosts, in one question, of whom it was not asked before.
func (a *attestor) begin(ctx context.Context, certnames []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := &question{done: make(chan struct{})}
	var names []string
	for _, name := range certnames {
		if a.asked[name] == nil {
			a.asked[name] = q
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		// Its end is its own: one host that is given up must not end it for the others.
		go a.ask(context.WithoutCancel(ctx), q, names)
	}
}

func (a *attestor) ask(ctx context.Context, q *question, names []string) {
	defer close(q.done)
	ctx, cancel := context.WithTimeoutCause(ctx, keysLimit, fmt.Errorf("no answer within %s: %w", keysLimit, context.DeadlineExceeded))
	defer cancel()
	c, err := openPuppetDB(ctx, a.settings, a.now)
	if err == nil {
		defer c.Close()
		q.keys, err = c.Keys(ctx, names)
	}
	if q.err = err; err != nil && a.warn != nil {
		a.warn(fmt.Sprintf("PuppetDB could not be asked for SSH host keys, so only hosts are connected to that the inventory or known_hosts knows: %v", err))
	}
}

// attest is what PuppetDB says of a host's keys.
func (a *attestor) attest(ctx context.Context, certname string) ssh.Attestation {
	out := ssh.Attestation{By: "PuppetDB's ssh fact of " + certname}
	a.begin(ctx, []string{certname})
	a.mu.Lock()
	q := a.asked[certname]
	a.mu.Unlock()
	select {
	case <-q.done:
	case <-ctx.Done():
		out.Err = context.Cause(ctx)
		return out
	}
	said, ok := q.keys[certname]
	limit := a.settings.MaxAge.Duration()
	switch {
	case q.err != nil:
		out.Err = errors.New("PuppetDB could not be asked for it")
	case !ok:
		out.Err = fmt.Errorf("PuppetDB knows no active host %s with facts", certname)
	case said.Age > limit:
		out.Err = fmt.Errorf("%s is %s old, and believed for %s (puppetdb.max_age)", out.By, said.Age.Round(time.Second), limit)
	case said.Age < -fromTheFuture:
		out.Err = fmt.Errorf("%s is of %s from now: PuppetDB's clock, or its database's, was wrong", out.By, -said.Age.Round(time.Second))
	default:
		out.Age = said.Age
		for _, k := range said.Keys {
			out.Keys = append(out.Keys, k.Blob)
		}
	}
	return out
}

// attested is how the keys of a host are told besides, nil when they are not.
func (s *Session) attested(name string) func(context.Context) ssh.Attestation {
	certname := s.certname(name)
	if certname == "" {
		return nil
	}
	return func(ctx context.Context) ssh.Attestation { return s.options.attestor.attest(ctx, certname) }
}

// certname is the one that PuppetDB is asked about a host by; "" when it is not.
func (s *Session) certname(name string) string {
	if s.options.attestor == nil {
		return ""
	}
	for _, hosts := range [][]inventory.Host{s.Cluster.KubeMasters, s.Cluster.KubeNodes} {
		for i := range hosts {
			if hosts[i].Name == name {
				return s.options.attestor.about(hosts[i])
			}
		}
	}
	return ""
}

// askForKeys asks for the keys of hosts that are about to be connected to.
func (s *Session) askForKeys(ctx context.Context, targets []ssh.Target) {
	if s.options.attestor == nil {
		return
	}
	about := map[string]bool{}
	for _, t := range targets {
		about[t.Name] = true
	}
	var names []string
	for _, h := range s.Cluster.Hosts() {
		if name := s.options.attestor.about(h); name != "" && about[h.Name] && s.conns[h.Name] == nil {
			names = append(names, name)
		}
	}
	s.options.attestor.begin(ctx, names)
}
