package desired

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
)

// comesIntoService lets service addresses lead to a new node, which was made without. From
// the moment that it announces them, clients' connections come, and it hands them on to
// pods on any node: it has to have the ways there first, which come from one node after
// the other.
func comesIntoService(ctx context.Context, w resource.World, name string) error {
	shell, err := w.Host(name)
	if err != nil {
		return err
	}
	err = wait.For(ctx, wait.Condition{
		What: name + " to have routes to the pods on the other nodes", Limit: answerLimit, Every: time.Second,
		Check: func(ctx context.Context) error {
			out, err := shell.Probe(ctx, host.Cmd{Argv: []string{"ip", "-4", "route", "show", "proto", "bird"}})
			if err != nil {
				return err
			}
			return lacksRoutes(ctx, w.Cluster, name, string(out.Stdout))
		},
	}, w.Waiting)
	if err != nil {
		return err
	}
	api, err := w.Cluster.API(ctx)
	if err != nil {
		return err
	}
	return api.Include(ctx, name)
}

// lacksRoutes tells of a block of another node that is Ready to which a node has no route.
func lacksRoutes(ctx context.Context, access *cluster.Access, name, routes string) error {
	states, err := cluster.Recall(ctx, access, "node states", func(ctx context.Context, api *kube.Client) ([]kube.NodeState, error) { return api.NodeStates(ctx) })
	if err != nil {
		return err
	}
	blocks, err := blocksOf(ctx, access)
	if err != nil {
		return err
	}
	has := map[netip.Prefix]bool{}
	for line := range strings.Lines(routes) {
		to, _, _ := strings.Cut(line, " ")
		if p, err := netip.ParsePrefix(to); err == nil {
			has[p] = true
		}
	}
	for _, n := range states {
		for _, b := range blocks[n.Name] {
			if n.Name != name && n.Trouble == "" && !has[b] {
				return fmt.Errorf("it has none to %s, which is on %s", b, n.Name)
			}
		}
	}
	return nil
}
