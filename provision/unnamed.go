package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/history"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/puppet"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/internal/reset"
	"github.com/droverctl/drover/provision/internal/ssh"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// reachUnnamed connects to a node that the inventory does not name any more, and makes
// sure that it is the one that is meant.
func (s *Session) reachUnnamed(ctx context.Context, h inventory.Host) error {
	snap, ok := s.reachAt(ctx, h.Name, h.Address)
	if stranger := s.stranger(snap, h.Name); ok && stranger != "" {
		return fmt.Errorf("the machine at %s says that it is %s, and not %s: name %s in the inventory, with its address, to remove it",
			h.Address, stranger, h.Name, h.Name)
	}
	if ok {
		if err := s.proven(h, snap); err != nil {
			s.Away[h.Name] = err
			return nil
		}
		s.seen[h.Name] = snap // a master's tells who had the fleet's lock
	}
	return nil
}

// reachAt connects, under a name of the session's own, to a machine that the inventory
// does not name, in the way that it has for all, and looks who it is. When it cannot
// be reached it is away.
func (s *Session) reachAt(ctx context.Context, name string, address netip.Addr) (facts.Snapshot, bool) {
	if s.at[name] != address { // what there is leads elsewhere
		s.hangUp(name)
	}
	snap, err := s.lookThere(ctx, name, address)
	if err != nil && s.options.Nodes.Unreachable {
		s.doubt(ctx, ssh.Target{Name: name})
		snap, err = s.lookThere(ctx, name, address)
	}
	if err != nil {
		s.Away[name] = err
	}
	return snap, err == nil
}

func (s *Session) lookThere(ctx context.Context, name string, address netip.Addr) (facts.Snapshot, error) {
	conn := s.conns[name]
	if conn == nil {
		var err error
		if conn, err = ssh.Dial(ctx, s.target(name, address, s.Cluster.SSH), s.options.SSH); err != nil {
			return facts.Snapshot{}, err
		}
		s.conns[name], s.at[name] = conn, address
	}
	snap, err := facts.Probe(ctx, conn, facts.Union(identity.Scope(), puppet.Scope()))
	if program := puppet.Program(snap); program != "" && err == nil {
		s.knowAgent(name, s.agent(name, program)) // it is held too while the machine is reset
	}
	return snap, err
}

// hangUp ends the connection to a host, if there is one.
func (s *Session) hangUp(name string) {
	if conn := s.conns[name]; conn != nil {
		conn.Close()
		delete(s.conns, name)
	}
}

// taken is why the machine at the address of a node that the inventory does not name any
// more is not it: the inventory has another host there.
func (s *Session) taken(h inventory.Host) error {
	for _, other := range s.Cluster.Hosts() {
		if other.Address == h.Address {
			return fmt.Errorf("%s: at %s, where the cluster knows it, is %s now", h.Name, h.Address, other.Name)
		}
	}
	return nil
}

// notIt is why the machine that the inventory has under a node's name is not the one that
// the cluster knows: it has no note, and another machine-id. Nothing is taken off it, and
// with it nothing is told of the one that is to go.
func (s *Session) notIt(h inventory.Host, m cluster.Member) error {
	snap, reached := s.seen[h.Name]
	_, noted := snap.Texts[membership.Path]
	if !reached || noted || m.Machine == "" || snap.MachineID == "" || snap.MachineID == m.Machine {
		return nil
	}
	return fmt.Errorf("the machine at %s belongs to no cluster, and is another than %s, which the cluster knows at %s", h.Address, h.Name, m.Address)
}

// proven is nil when the machine at such a node's address is the one that the node was.
// Its note says so; when a reset that was cut off has left none, what the cluster knows
// of the machine has to.
func (s *Session) proven(h inventory.Host, snap facts.Snapshot) error {
	return s.another(h, kube.NodeState{Name: h.Name, Address: h.Address, Machine: s.machine(h.Name)}, snap)
}

// A node's Node goes last of all that says where its host is. So a run that was killed
// after that is ended by what it has left in the cluster, and by what the masters remember
// of it: on the host there is nothing left to do, but on a master, which had the fleet's
// lock.

// toEnd is the rest of the removal of a node that neither the inventory nor the cluster
// names any more.
func (s *Session) toEnd(ctx context.Context, h inventory.Host, nodes []cluster.Member, blocks map[string][]string, bundle *trust.Bundle) (removal.Node, error) {
	n := removal.Node{Name: h.Name, Ended: true}
	api, err := s.access.API(ctx)
	if err != nil {
		return n, err
	}
	left, err := leftBehind(ctx, api, h.Name, blocks)
	if err != nil {
		return n, err
	}
	runs, err := s.remembered(ctx)
	was, begun := history.Unfinished(runs, h.Name)
	switch {
	case left && err != nil: // and who says that its host is done with?
		return n, err
	case left && !begun: // it was somebody else who took its Node away
		n.Ended = false
		s.Away[h.Name] = fmt.Errorf("%s: neither the inventory nor the cluster knows its address", h.Name)
		return n, s.reached(&n, h, bundle)
	case !begun:
		return n, errors.Join(fmt.Errorf("neither the inventory nor the cluster has a node %q, so there is nothing to remove: the cluster has %s", h.Name, memberNames(nodes)), err)
	}
	h.Address = was.Address
	if why := s.lookForLast(ctx, h, was); why != nil {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s has no Node any more, and its machine was not looked at (%v): if a run of drover's has not reset it, name it in the inventory, with its address, and `drover reset %[1]s` does", h.Name, why))
		return n, nil
	}
	n.Address = h.Address
	return n, s.reached(&n, h, bundle)
}

// lookForLast connects to the machine that such a node was, or tells why not: what is left
// in the cluster goes without it.
func (s *Session) lookForLast(ctx context.Context, h inventory.Host, was history.Machine) error {
	if !h.Address.IsValid() {
		return errors.New("nobody knows its address")
	}
	if err := s.taken(h); err != nil {
		return err
	}
	snap, ok := s.reachAt(ctx, h.Name, h.Address)
	why := s.Away[h.Name]
	delete(s.Away, h.Name)
	if !ok {
		return why
	}
	if err := s.another(h, kube.NodeState{Name: h.Name, Address: h.Address, Machine: was.ID}, snap); err != nil {
		return err
	}
	s.seen[h.Name] = snap
	return nil
}

// departing are the machines that are to leave the cluster, for the masters to remember.
func (s *Session) departing() (all []history.Machine) {
	for _, n := range s.leaving {
		if n.Former == nil { // else the inventory names who comes
			all = append(all, history.Machine{Name: n.Name, ID: cmp.Or(s.machine(n.Name), s.seen[n.Name].MachineID), Address: n.Address})
		}
	}
	return all
}

// bareAlready are the machines to be removed that an earlier run has wiped, as a plan has
// it. Where this one has taken the lock on them, that is to be given back as after a wipe.
func (s *Session) bareAlready(p plan.Plan) (names []string) {
	for _, n := range s.leaving {
		if n.Former == nil && slices.ContainsFunc(p.Changes, func(c plan.Change) bool {
			return c.ID == plan.NewID(n.On(), "reset", "drover") && c.Action == plan.NoOp
		}) {
			names = append(names, n.On())
		}
	}
	return names
}

// forget takes what the fleet's lock has left off a host on which nothing else of drover's
// is any more. Where the lock is held by, that has to wait until it is given back.
func (s *Session) forget(ctx context.Context, name string) error {
	s.mu.Lock()
	s.wiped = append(s.wiped, name)
	s.mu.Unlock()
	if s.holding == nil || slices.Contains(s.holding.Masters(), name) {
		return nil
	}
	ctx, done, err := s.holding.Permit(ctx)
	if err != nil {
		return err
	}
	defer done()
	return reset.Forget(ctx, s.conns[name])
}
