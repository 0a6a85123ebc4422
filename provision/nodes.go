package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/internal/reset"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// NodeVerb is what a run does to nodes.
type NodeVerb string

// The verbs. Prune removes nodes, and MasterReplace has other, empty machines take
// masters' places, besides all else that the inventory asks for; the others are about
// the nodes named and nothing else.
const (
	NodeAdd     NodeVerb = "add"
	NodeRemove  NodeVerb = "remove"
	NodePrune   NodeVerb = "prune"
	NodeReplace NodeVerb = "replace"
	// MasterReplace is of masters: etcd's members, and what lists them on all hosts.
	MasterReplace NodeVerb = "replace-master"
	NodeDrain     NodeVerb = "drain"
	NodeCordon    NodeVerb = "cordon"
	NodeUncordon  NodeVerb = "uncordon"
)

// NodeTask is what a run is to do to nodes. The zero value is nothing.
type NodeTask struct {
	Verb  NodeVerb
	Names []string
	Drain NodeDrainOptions
	// Unreachable removes nodes whose hosts cannot be reached, WithoutRoom those whose
	// pods would find no place.
	Unreachable, WithoutRoom bool

	// InWaves says that nodes to be replaced that do not fit elsewhere at once are only
	// shown: who replaces them does so in waves.
	InWaves bool

	// listed says that what is named is on a list that every host has, although the
	// inventory does not name it: a master.
	listed bool
}

// NodeDrainOptions are how nodes are drained.
type NodeDrainOptions = removal.Drain

// NodeIfStuck is what becomes of a node that could not be drained.
type NodeIfStuck = removal.IfStuck

// It stays cordoned, or takes pods again.
const (
	LeftCordoned    = removal.LeftCordoned
	LeftSchedulable = removal.LeftSchedulable
)

func (t NodeTask) has(name string) bool { return slices.Contains(t.Names, name) }
func (t NodeTask) removes() bool        { return t.Verb == NodeRemove || t.Verb == NodePrune }

// limited reports whether the run is about the nodes named and nothing else.
func (t NodeTask) limited() bool {
	return t.Verb != "" && t.Verb != NodePrune && t.Verb != MasterReplace
}

// replaced are the masters of which another machine is to take the place.
func (t NodeTask) replaced() []string {
	if t.Verb != MasterReplace {
		return nil
	}
	return t.Names
}

// replaces reports whether another machine is to take a host's place.
func (t NodeTask) replaces(name string) bool {
	return (t.Verb == NodeReplace || t.Verb == MasterReplace) && t.has(name)
}

// inService reports whether it only says what may run on nodes: that is the API's
// business, and no host is asked.
func (t NodeTask) inService() bool {
	return t.Verb == NodeDrain || t.Verb == NodeCordon || t.Verb == NodeUncordon
}

// staying are the members that are not to go.
func (t NodeTask) staying(members []cluster.Member) []cluster.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m cluster.Member) bool { return t.removes() && t.has(m.Name) })
}

// Concerns reports whether a run has to do with a host or a BIG-IP. The masters are
// the way to the cluster.
func (t NodeTask) Concerns(c *inventory.Cluster, name string) bool {
	if !t.limited() || t.onLists(c) || slices.ContainsFunc(c.KubeMasters, func(h inventory.Host) bool { return h.Name == name }) {
		return true
	}
	return !t.inService() && (t.has(name) || isBigIP(c, name))
}

func isBigIP(c *inventory.Cluster, name string) bool {
	return slices.ContainsFunc(c.BigIPs, func(b inventory.BigIP) bool { return b.Name == name })
}

// remaining is the inventory without the nodes that are to go.
func (s *Session) remaining() *inventory.Cluster {
	if !s.options.Nodes.removes() {
		return s.Cluster
	}
	c := *s.Cluster
	goes := func(h inventory.Host) bool { return s.options.Nodes.has(h.Name) }
	c.KubeNodes = slices.DeleteFunc(slices.Clone(c.KubeNodes), goes)
	c.KubeMasters = slices.DeleteFunc(slices.Clone(c.KubeMasters), goes)
	return &c
}

// resolve finds the nodes that the run is about, in the inventory and in the cluster.
func (s *Session) resolve(ctx context.Context, bundle *trust.Bundle) error {
	t := s.options.Nodes
	if t.Verb == "" || t.Verb == MasterReplace { // masters join by what etcd knows
		return nil
	}
	if s.verdict.Standing != identity.Existing {
		return errors.New("there is no cluster yet: `drover apply` makes it")
	}
	api, err := s.access.API(ctx)
	if err != nil {
		return fmt.Errorf("nothing is done to nodes while the cluster's API cannot be asked: %w", err)
	}
	switch t.Verb {
	case NodeAdd:
		return nil
	case NodeReplace:
		return s.meetFormer(ctx, api, bundle)
	}
	nodes, err := s.access.Nodes(ctx)
	if err != nil {
		return err
	}
	if t.inService() {
		return inCluster(nodes, t.Names)
	}
	blocks, err := removal.Affinities(ctx, api)
	if err != nil {
		return err
	}
	s.leaving = nil
	for _, name := range t.Names {
		n, err := s.toRemove(ctx, name, nodes, blocks, bundle)
		if err != nil {
			return err
		}
		s.leaving = append(s.leaving, n)
	}
	if err := s.mastersLeave(ctx); err != nil {
		return err
	}
	s.warnOfRemoval()
	return nil
}

func inCluster(nodes []cluster.Member, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(nodes, func(m cluster.Member) bool { return m.Name == name }) {
			return fmt.Errorf("the cluster has no node %q: it has %s", name, memberNames(nodes))
		}
	}
	return nil
}

func memberNames(nodes []cluster.Member) string {
	var names []string
	for _, m := range nodes {
		names = append(names, m.Name)
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// toRemove is one node that is to go.
func (s *Session) toRemove(ctx context.Context, name string, nodes []cluster.Member, blocks map[string][]string, bundle *trust.Bundle) (removal.Node, error) {
	n := removal.Node{Name: name}
	h := inventory.Host{Role: inventory.RoleNode, Name: name, SSH: s.Cluster.SSH, Kubelet: s.Cluster.Kubelet}
	for _, have := range s.Cluster.Hosts() {
		if have.Name == name {
			h, n.Named, n.Address = have, true, have.Address
		}
	}
	// etcd may have a member of which there is no Node.
	known := cluster.Merge(nodes, slices.DeleteFunc(slices.Clone(s.members), func(m cluster.Member) bool { return !m.Etcd }))
	i := slices.IndexFunc(known, func(m cluster.Member) bool { return m.Name == name })
	if i >= 0 && !n.Named {
		n.Address, h.Address = known[i].Address, known[i].Address
	}
	if n.Master = h.Role == inventory.RoleMaster || i >= 0 && known[i].Master; n.Master {
		h.Role = inventory.RoleMaster
	}
	if !n.Named && i < 0 {
		return s.toEnd(ctx, h, nodes, blocks, bundle)
	}
	if n.Named && i >= 0 {
		if why := s.notIt(h, known[i]); why != nil {
			s.Away[name], n.Address = why, known[i].Address
		}
	}
	if !n.Named && n.Address.IsValid() {
		if why := s.taken(h); why != nil { // nor is anything said of it by its address
			s.Away[name], n.Address = why, netip.Addr{}
		} else if err := s.reachUnnamed(ctx, h); err != nil {
			return n, err
		}
	}
	if !n.Address.IsValid() && s.Away[name] == nil {
		s.Away[name] = fmt.Errorf("%s: neither the inventory nor the cluster knows its address", name)
	}
	return n, s.reached(&n, h, bundle)
}

// reached notes whether the machine of a node that is to go was reached, and what
// drover may have made there.
func (s *Session) reached(n *removal.Node, h inventory.Host, bundle *trust.Bundle) (err error) {
	machine := n.On()
	n.Reached = s.conns[machine] != nil && s.Away[machine] == nil
	if n.Reached {
		n.Made, err = s.madeOn(h, bundle)
	} else if s.options.Nodes.Unreachable {
		s.gone[machine] = s.Away[machine]
		delete(s.Away, machine) // that is what it is removed for
	}
	return err
}

// stranger is whom a machine says to be, when it is another than a node of this
// cluster. Without a note nothing there is provably the node's; a reset that was cut
// off has left none, and what it left is judged by what it is.
func (s *Session) stranger(snap facts.Snapshot, name string) string {
	text := snap.Texts[membership.Path]
	note := membership.Parse(text)
	if text != "" && (note.Cluster != s.Cluster.Name || note.UID != s.uid || note.Host != "" && note.Host != name) {
		return fmt.Sprintf("%s of the cluster %q", cmp.Or(note.Host, "a host"), note.Cluster)
	}
	return ""
}

// madeOn is what drover may have made on a host that is to go.
func (s *Session) madeOn(h inventory.Host, bundle *trust.Bundle) (reset.Host, error) {
	c := *s.Cluster
	c.KubeNodes = []inventory.Host{h}
	if h.Role == inventory.RoleMaster {
		c.KubeNodes, c.KubeMasters = nil, []inventory.Host{h}
	}
	rs, err := hostResources(&c, bundle, s.options, func(name string) bool { return name != h.Name })
	return reset.Of(h.Name, rs, networks(&c)), err
}

// warnOfRemoval tells what the removal cannot do itself.
func (s *Session) warnOfRemoval() {
	for _, n := range s.leaving {
		if why := s.gone[n.Name]; why != nil && n.Former == nil {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s is removed without being reset, so what drover made stays on its disk (%v); by itself it comes back into no cluster, as its kubelet makes no Node%s: as long as no other machine is added under that name, for which it would speak as well. `drover reset %s` cleans it",
				n.Name, why, map[bool]string{true: " and its etcd, which is a member no more, is refused by the others"}[n.Master], n.Name))
		}
		if n.Member != nil && s.Cluster.API.Endpoint != "" && n.Address.IsValid() {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s is an endpoint of yours: take %s, which is %s, out of what it leads to", s.Cluster.API.Endpoint,
				netip.AddrPortFrom(n.Address, uint16(s.Cluster.API.Port)), n.Name)) //nolint:gosec // a validated port
		}
		for _, f5 := range s.Cluster.BigIPs {
			if f5.Manage == inventory.ManageManual && n.Address.IsValid() && n.LeavesAddress() {
				s.Warnings = append(s.Warnings, fmt.Sprintf("%s is managed by hand: when %s is gone, enter there: router bgp %d, no neighbor %s peer-group %s",
					f5.Name, n.Name, f5.ASNumber, n.Address, bgp.New(s.Cluster, f5).Group()))
			}
		}
	}
}

// Task is what the session is to do to nodes.
func (s *Session) Task() NodeTask { return s.options.Nodes }

// StillNamed are the nodes that are removed although the inventory names them: the
// next apply would add them again.
func (s *Session) StillNamed() []string {
	var names []string
	for _, n := range s.leaving {
		if n.Named {
			names = append(names, n.Name)
		}
	}
	return names
}

// service are the resources of a run that only says what may run on nodes.
func (s *Session) service() []resource.Resource {
	t := s.options.Nodes
	var out []resource.Resource
	for _, name := range t.Names {
		switch t.Verb {
		case NodeUncordon:
			out = append(out, removal.Cordon(name, false), removal.Include(name))
		case NodeCordon:
			out = append(out, removal.Cordon(name, true))
		default:
			cordon := removal.Cordon(name, true)
			out = append(out, cordon, removal.Drained(name, removal.Unasked, t.Drain, cordon.ID))
		}
	}
	return out
}

// removal are the resources of the nodes that are to go.
func (s *Session) removal() removal.Steps {
	t := s.options.Nodes
	in := removal.Inputs{
		Nodes: s.leaving, Drain: t.Drain, Services: s.Cluster.ServiceCIDR, Lists: s.lists(), Now: s.options.Now,
		Host: func(name string) host.Reader {
			if conn := s.conns[name]; conn != nil {
				return conn
			}
			return nil
		},
		Wiped: s.forget,
	}
	var forgotten []plan.ID
	for _, f5 := range s.Cluster.BigIPs {
		readable := f5.Manage == inventory.ManageSSH && s.Away[f5.Name] == nil
		in.Blind = in.Blind || !readable
		if readable {
			in.Readable = append(in.Readable, f5)
			forgotten = append(forgotten, desired.NeighborsID(f5.Name))
		}
	}
	return removal.Of(in, forgotten)
}

// byHand tells of the BIG-IPs that somebody else configures. A run about some nodes
// asks no other: they are taken to be there, which is the side on which nothing is
// entered that would end a session.
func (s *Session) byHand(p plan.Plan, run []report.Outcome) []plan.ByHand {
	all := desired.ByHand(s.Cluster, p, run)
	t := s.options.Nodes
	if !t.limited() {
		return all
	}
	if t.Verb != NodeAdd && t.Verb != NodeReplace {
		return nil
	}
	var others []string
	for _, h := range s.Cluster.Hosts() {
		if !t.has(h.Name) {
			others = append(others, h.Name)
		}
	}
	for i, one := range all {
		for _, f5 := range s.Cluster.BigIPs {
			if f5.Name == one.BigIP && len(one.Up) == 0 {
				all[i].Enter = append([]string{}, bgp.ByHand(bgp.New(s.Cluster, f5), others, one.Missing)...)
			}
		}
	}
	return all
}

// networks are those that a host of the cluster may have routes into.
func networks(c *inventory.Cluster) []netip.Prefix {
	out := []netip.Prefix{c.PodCIDR, c.ServiceCIDR}
	for _, b := range c.BigIPs {
		out = append(out, b.Accept...)
	}
	return out
}
