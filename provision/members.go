package provision

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/calico"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
)

// meet asks the cluster who its members are. Those that the inventory does not
// name are kept; machines that took a member's name are refused.
func (s *Session) meet(ctx context.Context) error {
	if s.verdict.Standing != identity.Existing {
		return s.nothingToReplace()
	}
	access, done := s.anyway() // etcd may answer although the API does not
	defer done()
	var nodes []cluster.Member
	var unknown error // why not was told when it was reached for
	var bigips []string
	var untold error
	var asked sync.WaitGroup
	glance := s.access.Glance()
	asked.Go(func() { nodes, unknown = glance.Nodes(ctx) })
	if !s.options.Nodes.limited() {
		asked.Go(func() { bigips, untold = unnamedBigIPs(ctx, glance, s.Cluster) })
	}
	etcds, err := access.EtcdMembers(ctx)
	asked.Wait()
	if unknown == nil {
		s.glance = glance
	}
	if err != nil {
		s.unable(fmt.Sprintf("etcd could not be asked who its members are: %v", err))
	}
	s.masters = s.noted()
	if err == nil {
		s.masters = nil
		for _, m := range etcds {
			if m.Name != "" { // one without has not begun
				s.masters = append(s.masters, m.Name)
			}
		}
	}
	members := cluster.Merge(etcds, nodes)
	s.members = members
	met := slices.DeleteFunc(slices.Clone(members), func(m cluster.Member) bool { return !s.options.Nodes.Concerns(s.Cluster, m.Name) })
	if err := identity.Replaced(s.Cluster, s.seen, met, s.mayDiffer); err != nil {
		return err
	}
	s.kept = keep(s.Cluster, members, s.seen, unknown != nil)
	s.kept.Members = s.options.Nodes.staying(s.kept.Members)
	for _, m := range s.kept.Members {
		if !s.options.Nodes.limited() {
			s.Warnings = append(s.Warnings, unnamed(m))
		}
	}
	for _, name := range bigips {
		s.Warnings = append(s.Warnings, fmt.Sprintf("BIG-IP %s: hosts have sessions with it that drover made, but the inventory does not name it: kept; "+
			"`kubectl delete bgppeers.%[2]s/%[3]s bgpfilters.%[2]s/%[3]s` ends them", name, calico.Group, calico.PeerName(name)))
	}
	if untold != nil && unknown == nil {
		s.Warnings = append(s.Warnings, fmt.Sprintf("whether hosts have sessions with BIG-IPs that the inventory does not name could not be asked: %v", untold))
	}
	return s.meetJoiners(ctx, access)
}

// unnamedBigIPs are those with which Calico has sessions by drover's doing, and that the
// inventory does not name.
func unnamedBigIPs(ctx context.Context, a *cluster.Access, c *inventory.Cluster) ([]string, error) {
	api, err := a.API(ctx)
	if err != nil {
		return nil, err
	}
	peers, err := api.List(ctx, calico.PeerKind())
	var names []string
	for i := range peers {
		name := calico.BigIPOf(&peers[i])
		if name != "" && !slices.ContainsFunc(c.BigIPs, func(f5 inventory.BigIP) bool { return f5.Name == name }) {
			names = append(names, name)
		}
	}
	return names, err
}

func unnamed(m cluster.Member) string {
	return fmt.Sprintf("%s is a member but the inventory does not name it: kept; `drover node remove %[1]s` removes it", m.Name)
}

// keep is who stays on every list besides the inventory's hosts. Where the API could
// not be asked, that is also whom the hosts have on theirs.
func keep(c *inventory.Cluster, members []cluster.Member, seen map[string]facts.Snapshot, unknown bool) desired.Kept {
	if unknown {
		for _, h := range c.Hosts() {
			for _, b := range manifests.Backends(seen[h.Name].Texts[manifests.HAProxyConfigPath]) {
				members = cluster.Merge(members, []cluster.Member{{Name: b.Name, Address: b.Address, Master: true}})
			}
		}
	}
	return desired.Kept{Members: identity.Unnamed(c, members), Unknown: unknown}
}
