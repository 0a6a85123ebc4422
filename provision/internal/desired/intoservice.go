package desired

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
)

// routesLimit is how long a new node may take to learn the ways to the others: BGP tries
// again within seconds, and goes on at once where it is answered.
const routesLimit = time.Minute

// comesIntoService lets service addresses lead to a new node, which was made without. From
// the moment that it announces them, clients' connections come, and it hands them on to
// pods on any node: it has to have the ways there first, which come from one node after
// the other. A master tells which ways there are. One that does not come in time holds
// nobody up, and is told of: it may be to a node that has just died, and that the master
// has not forgotten yet.
func (b *builder) comesIntoService(ctx context.Context, w resource.World, name string) error {
	if len(w.Cluster.Masters) == 0 {
		return errors.New("no master could be reached")
	}
	from := w.Cluster.Masters[0].Name
	err := wait.For(ctx, wait.Condition{
		What: name + " to have the routes to pods that " + from + " has", Limit: routesLimit, Every: time.Second,
		Check: func(ctx context.Context) error {
			has, err := b.podRoutes(ctx, w, name)
			if err != nil {
				return err
			}
			wanted, err := b.podRoutes(ctx, w, from)
			if err != nil {
				return err
			}
			own, err := blocksOf(ctx, w.Cluster)
			if err != nil {
				return err
			}
			for _, p := range own[name] {
				delete(wanted, p)
			}
			for p := range wanted {
				if !has[p] {
					return fmt.Errorf("it has none to %s", p)
				}
			}
			return nil
		},
	}, w.Waiting)
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		w.Say(fmt.Sprintf("%s announces services all the same: %v", name, err))
	}
	api, err := w.Cluster.API(ctx)
	if err != nil {
		return err
	}
	return api.Include(ctx, name)
}

// podRoutes are the networks of pods that BIRD has given a host a way to, its own among
// them.
func (b *builder) podRoutes(ctx context.Context, w resource.World, name string) (map[netip.Prefix]bool, error) {
	shell, err := w.Host(name)
	if err != nil {
		return nil, err
	}
	out, err := shell.Probe(ctx, host.Cmd{Argv: []string{"ip", "-4", "route", "show", "proto", "bird"}})
	if err != nil {
		return nil, err
	}
	to := map[netip.Prefix]bool{}
	for line := range strings.Lines(string(out.Stdout)) {
		prefix, _, _ := strings.Cut(strings.TrimPrefix(line, "blackhole "), " ")
		if p, err := netip.ParsePrefix(prefix); err == nil && b.Cluster.PodCIDR.Overlaps(p) {
			to[p] = true
		}
	}
	return to, nil
}
