package desired

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
)

// comesIntoService lets service addresses lead to a new node, which was made without. From
// the moment that it announces them, clients' connections come, and it hands them on to
// pods on any node: it has to have the ways there first, which come from one node after
// the other. A way that no master has either is not the new one's to have.
func (b *builder) comesIntoService(ctx context.Context, w resource.World, name string) error {
	var nobodys []string
	err := wait.For(ctx, wait.Condition{
		What: name + " to have routes to the pods on the other nodes", Limit: answerLimit, Every: time.Second,
		Check: func(ctx context.Context) (err error) {
			nobodys, err = b.waysOf(ctx, w, name)
			return err
		},
	}, w.Waiting)
	if err != nil {
		return err
	}
	if len(nobodys) > 0 {
		w.Say(fmt.Sprintf("not proven: neither %s nor a master has a route to %s", name, strings.Join(nobodys, ", ")))
	}
	api, err := w.Cluster.API(ctx)
	if err != nil {
		return err
	}
	return api.Include(ctx, name)
}

// waysOf is nil when a node has a way to each block of another node that is Ready, but
// those to which no master has one either, which it names.
func (b *builder) waysOf(ctx context.Context, w resource.World, name string) (nobodys []string, err error) {
	states, err := w.Cluster.States(ctx)
	if err != nil {
		return nil, err
	}
	blocks, err := blocksOf(ctx, w.Cluster)
	if err != nil {
		return nil, err
	}
	has, err := podRoutes(ctx, w, name)
	if err != nil {
		return nil, err
	}
	var masters map[netip.Prefix]bool // asked when there is reason to
	for _, n := range states {
		for _, block := range blocks[n.Name] {
			if n.Name == name || n.Trouble != "" || has[block] {
				continue
			}
			if masters == nil {
				if masters, err = b.mastersRoutes(ctx, w); err != nil {
					return nil, err
				}
			}
			if masters[block] {
				return nil, fmt.Errorf("it has none to %s, which is on %s", block, n.Name)
			}
			nobodys = append(nobodys, fmt.Sprintf("%s on %s", block, n.Name))
		}
	}
	return nobodys, nil
}

// mastersRoutes are those that any master has that was reached.
func (b *builder) mastersRoutes(ctx context.Context, w resource.World) (map[netip.Prefix]bool, error) {
	all := map[netip.Prefix]bool{}
	var errs []error
	for _, m := range w.Cluster.Masters {
		routes, err := podRoutes(ctx, w, m.Name)
		errs = append(errs, err)
		for p := range routes {
			all[p] = true
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, errors.Join(slices.Concat(errs, []error{errors.New("no master has a route to any pod")})...)
}

// podRoutes are the networks that BIRD has given a host a way to, its own among them.
func podRoutes(ctx context.Context, w resource.World, name string) (map[netip.Prefix]bool, error) {
	shell, err := w.Host(name)
	if err != nil {
		return nil, err
	}
	out, err := shell.Probe(ctx, host.Cmd{Argv: []string{"ip", "-4", "route", "show", "proto", "bird"}})
	if err == nil && out.Exit != 0 {
		err = fmt.Errorf("%s: ip route: exit %d: %s", name, out.Exit, strings.TrimSpace(string(out.Stderr)))
	}
	if err != nil {
		return nil, err
	}
	to := map[netip.Prefix]bool{}
	for line := range strings.Lines(string(out.Stdout)) {
		prefix, _, _ := strings.Cut(strings.TrimPrefix(line, "blackhole "), " ")
		if p, err := netip.ParsePrefix(prefix); err == nil {
			to[p] = true
		}
	}
	return to, nil
}
