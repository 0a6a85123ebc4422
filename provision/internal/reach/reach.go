package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/preflight"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// Host is a host that connects and listens.
type Host interface {
	host.Writer
	// DialContext connects to an address as from the host itself.
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

const (
	// connectLimit is how long one connection may take: a lost SYN is sent again after
	// a second.
	connectLimit = 3 * time.Second
	// lookLimit is how long all of them may take.
	lookLimit = 20 * time.Second
	// atOnce is how many connections are tried, or hosts asked, at the same time.
	atOnce = 128
)

// Look tries all links. It has hosts listen where nobody does, and when it returns
// none of them listens any more; the error is that of one that still may, for a
// while.
func Look(ctx context.Context, hosts map[string]Host, links []preflight.Link) (preflight.Reach, error) {
	l := look{hosts: hosts, reach: preflight.Reach{Mute: map[string]string{}, Deaf: map[string]string{}}}
	ears := l.listen(ctx, links)
	attempts := l.try(ctx, links)
	err := l.end(ctx, ears)
	for _, a := range attempts {
		if l.reach.Mute[a.From] == "" && (a.Ear != preflight.Nobody || l.reach.Deaf[a.To] == "") {
			l.reach.Attempts = append(l.reach.Attempts, a)
		}
	}
	return l.reach, err
}

type look struct {
	hosts map[string]Host
	mu    sync.Mutex
	reach preflight.Reach
}

// blind notes why a host could not be looked at, the first reason.
func (l *look) blind(whose map[string]string, name string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if whose[name] == "" {
		whose[name] = err.Error()
	}
}

// listen has hosts listen on the ports of links where nobody does.
func (l *look) listen(ctx context.Context, links []preflight.Link) []listener {
	ports := map[string][]netip.AddrPort{}
	known := map[netip.AddrPort]bool{}
	for _, k := range links {
		if k.Ear == preflight.Nobody && !known[k.At] {
			known[k.At] = true
			ports[k.To] = append(ports[k.To], k.At)
		}
	}
	var ears []listener
	var g errgroup.Group
	g.SetLimit(atOnce)
	for name, at := range ports {
		g.Go(func() error {
			ear, err := listen(ctx, l.hosts[name], at)
			if err != nil {
				l.blind(l.reach.Deaf, name, err)
			}
			var refused *host.ExitError
			if errors.As(err, &refused) {
				return nil
			}
			l.mu.Lock() // where it is not known whether it listens, it is ended as well
			defer l.mu.Unlock()
			ears = append(ears, ear)
			return nil
		})
	}
	_ = g.Wait() // who could not is deaf
	return ears
}

// end ends the listeners. One that had ended before proves nothing.
func (l *look) end(ctx context.Context, ears []listener) error {
	errs := make([]error, len(ears))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, ear := range ears {
		g.Go(func() error {
			err := ear.end(ctx)
			if err != nil {
				l.blind(l.reach.Deaf, ear.on.Name(), err)
			}
			if !errors.Is(err, errEnded) {
				errs[i] = err
			}
			return nil
		})
	}
	_ = g.Wait()
	return errors.Join(errs...)
}

// try tries the links, all at once as far as that goes.
func (l *look) try(ctx context.Context, links []preflight.Link) []preflight.Attempt {
	ctx, cancel := context.WithTimeoutCause(ctx, lookLimit, fmt.Errorf("trying all ports took more than %s", lookLimit))
	defer cancel()
	out := make([]preflight.Attempt, len(links))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, k := range links {
		g.Go(func() error {
			outcome, err := try(ctx, l.hosts[k.From].DialContext, k.At)
			if err != nil {
				l.blind(l.reach.Mute, k.From, err)
			}
			out[i] = preflight.Attempt{Link: k, Outcome: outcome}
			return nil
		})
	}
	_ = g.Wait() // who could not is mute
	return out
}

// try has a host connect to an address; an error says that it could not be asked to.
func try(ctx context.Context, dial func(ctx context.Context, network, addr string) (net.Conn, error), at netip.AddrPort) (preflight.Outcome, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn, err := dial(limited, "tcp", at.String())
	var not *ssh.TunnelError
	switch {
	case err == nil:
		conn.Close()
		return preflight.Connected, nil
	case errors.As(err, &not) && not.Forbidden:
		return "", err
	case errors.As(err, &not):
		return outcome(not.Said), nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case limited.Err() != nil:
		return preflight.Silent, nil
	}
	return "", err
}

// Answers is nil when whoever has an address answers a host, be it that nobody listens
// there.
func Answers(ctx context.Context, dial func(ctx context.Context, network, addr string) (net.Conn, error), at netip.AddrPort) error {
	outcome, err := try(ctx, dial, at)
	switch {
	case err != nil:
		return err
	case outcome == preflight.Connected, outcome == preflight.Refused:
		return nil
	}
	return fmt.Errorf("%s does not answer: %s", at.Addr(), outcome)
}

// outcome reads what sshd says: the words of the C library.
func outcome(said string) preflight.Outcome {
	for words, o := range map[string]preflight.Outcome{
		"connection refused": preflight.Refused, "timed out": preflight.Silent,
		"no route to host": preflight.NoRoute, "network is unreachable": preflight.NoRoute,
	} {
		if strings.Contains(strings.ToLower(said), words) {
			return o
		}
	}
	return preflight.Outcome(said)
}
