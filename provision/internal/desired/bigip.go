package desired

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// bigIPs are the BIG-IPs' own side of the peering: those that drover may
// configure are, and what they then have is what counts. The side of one that is
// managed by hand is somebody else's: see byHand.
func (b *builder) bigIPs() {
	proven := []plan.ID{resource.GateID(gateWorkloads)}
	for _, h := range b.hosts(b.Cluster.KubeNodes) {
		proven = append(proven, b.add(b.block(h, b.proofNeeds(h))).ID)
	}
	for _, f5 := range b.Cluster.BigIPs {
		if f5.Manage == inventory.ManageManual {
			b.byHand(f5)
		}
		if f5.Manage != inventory.ManageSSH || b.Away(f5.Name) {
			continue
		}
		neighbors := b.add(b.neighbors(f5))
		b.add(b.sessions(f5, slices.Concat([]plan.ID{neighbors.ID}, proven, b.Gone)))
	}
}

// Peerings are the BIG-IPs' own side alone, for hosts that are all away: that they
// know nobody who is not to be known.
func Peerings(in Inputs) []resource.Resource {
	b := newBuilder(in)
	for _, f5 := range in.Cluster.BigIPs {
		if f5.Manage == inventory.ManageSSH && !in.Away(f5.Name) {
			neighbors := b.add(b.neighbors(f5))
			b.add(b.sessions(f5, append([]plan.ID{neighbors.ID}, in.Gone...)))
		}
	}
	return b.out
}

// Balancers are the hosts' own load balancers alone, where they have any: that they list
// the masters that there are, and no other. What else a host has tells what its fact is
// to be, where the lock of the releases is known.
func Balancers(in Inputs) ([]resource.Resource, error) {
	b := newBuilder(in)
	for _, h := range b.hosts(in.Cluster.Hosts()) {
		before := len(b.out)
		if h.Role == inventory.RoleMaster && in.Cluster.API.Endpoint == "" {
			b.clusterCA(h) // else it comes with the rest of the bundle
		}
		if _, err := b.balancer(h, nil); err != nil {
			return nil, err
		}
		if in.Lock.Files == nil || len(b.out) == before {
			continue
		}
		whole := newBuilder(in)
		if err := whole.all(h); err != nil {
			return nil, err
		}
		wanted := map[plan.ID]bool{}
		for _, r := range b.out[before:] {
			wanted[r.Item().ID] = true
		}
		fact := whole.fact(h)
		fact.Among = func(id plan.ID) bool { return wanted[id] }
		b.add(fact.Noted())
	}
	return b.out, nil
}

// NeighborsID is that of a BIG-IP's BGP configuration.
func NeighborsID(f5 string) plan.ID { return plan.NewID(f5, "bgp", "neighbors") }

// neighbors is the BIG-IP's BGP configuration.
func (b *builder) neighbors(f5 inventory.BigIP) resource.Step {
	peering := b.Kept.Peering(b.Cluster, f5)
	return resource.Step{
		ID: NeighborsID(f5.Name), Needs: b.Drained,
		Want: plan.State{"configuration": "as wanted"},
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			lines, err := bgp.Delta(seen.Hosts[f5.Name].Texts[facts.RunningConfig], peering)
			if err != nil {
				return nil, err
			}
			if len(lines) == 0 {
				return plan.State{"configuration": "as wanted"}, nil
			}
			trimmed := make([]string, len(lines))
			for i, l := range lines {
				trimmed[i] = strings.TrimSpace(l)
			}
			return plan.State{"configuration": "lacking: " + strings.Join(trimmed, ", ")}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			shell, err := w.Host(f5.Name)
			if err != nil {
				return err
			}
			now, err := facts.RoutingShell(ctx, shell)
			if err != nil {
				return err
			}
			told := peering
			told.Reveal = true
			lines, err := bgp.Delta(now.Texts[facts.RunningConfig], told)
			if err != nil {
				return err
			}
			// Over stdin: a line may hold the peers' password.
			_, err = shell.Run(ctx, host.Cmd{
				Argv: []string{"imish", "-r", "0"}, Stdin: strings.NewReader(strings.Join(bgp.Paste(lines), "\n") + "\n"),
				Hide: []string{f5.Password.Reveal()},
			})
			return err
		},
	}
}

// aside notes whom service addresses are kept from, by a label of its Node: nobody waits
// for them to be announced there.
func aside(ctx context.Context, access *cluster.Access, p bgp.Peering) error {
	states, err := access.States(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		for i, n := range p.Neighbors {
			p.Neighbors[i].Services = n.Services && !(s.Aside && s.Name == n.Name)
		}
	}
	return nil
}

// sessionLimit is how long the sessions and routes may take once both sides are
// configured: BGP retries a refused connection after up to two minutes.
const sessionLimit = 4 * time.Minute

// sessions is the proof from the far side: the BIG-IP has a session with every
// host that is not away, and the routes it should have by the hosts it should.
func (b *builder) sessions(f5 inventory.BigIP, needs []plan.ID) resource.Step {
	look := func(ctx context.Context, access *cluster.Access, snap facts.Snapshot) error {
		blocks, err := blocksOf(ctx, access)
		if err != nil {
			return err
		}
		peering := b.Kept.Peering(b.Cluster, f5)
		for i, n := range peering.Neighbors {
			peering.Neighbors[i].Blocks, peering.Neighbors[i].Away = blocks[n.Name], b.Away(n.Name)
		}
		sessions, err := bgp.ParseNeighbors(snap.Texts[facts.Neighbors])
		if err != nil {
			return err
		}
		routes, err := bgp.ParseRoutes(snap.Texts[facts.Routes])
		if err != nil {
			return err
		}
		found := bgp.Verify(peering, sessions, routes)
		if slices.ContainsFunc(found, func(f bgp.Finding) bool { return f.Kind == bgp.FewPaths }) {
			if err := aside(ctx, access, peering); err != nil {
				return err
			}
			found = bgp.Verify(peering, sessions, routes)
		}
		var words []string
		for _, f := range found {
			words = append(words, strings.TrimPrefix(f.Host+": "+f.Text, ": "))
		}
		if len(words) > 0 {
			return errors.New(strings.Join(words, "; "))
		}
		return nil
	}
	return resource.Step{
		ID: plan.NewID(f5.Name, "bgp", "sessions"), Needs: needs,
		Want: plan.State{"sessions and routes": "as wanted"}, Condition: true,
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			err := look(ctx, seen.Cluster, seen.Hosts[f5.Name])
			if errors.Is(err, cluster.ErrNoCluster) {
				return nil, err
			}
			if err != nil {
				return plan.State{"sessions and routes": err.Error()}, nil //nolint:nilerr // a finding
			}
			return plan.State{"sessions and routes": "as wanted"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			shell, err := w.Host(f5.Name)
			if err != nil {
				return err
			}
			return wait.For(ctx, wait.Condition{
				What: fmt.Sprintf("%s to have its sessions and routes", f5.Name), Limit: sessionLimit, Every: time.Second,
				Check: func(ctx context.Context) error {
					snap, err := facts.RoutingShell(ctx, shell)
					if err != nil {
						return err
					}
					return look(ctx, w.Cluster, snap)
				},
			}, w.Waiting)
		},
	}
}
