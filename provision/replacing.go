package provision

import (
	"context"
	"fmt"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/internal/trust"
)

// A kube-node is replaced by what removes one and what adds one: the machine before is
// removed, under its name but wherever it is, and what the inventory has under that
// name joins as any new node does, from when nothing of the name is in the cluster.

// newcomersAway refuses to replace hosts by machines that could not be reached.
func (s *Session) newcomersAway(names []string) error {
	for _, name := range names {
		if s.Away[name] != nil {
			return fmt.Errorf("the machine that is to take %s's place could not be reached", name)
		}
	}
	return nil
}

// notReplaced tells of a host that its machine already is; how says how it would be
// made another.
func notReplaced(name, how string) string {
	return fmt.Sprintf("%s is not replaced: its machine is the member that the cluster knows. If it is to be another one, put that in its place, empty, or %s", name, how)
}

// meetFormer finds the machines that kube-nodes were whose place others are to take.
func (s *Session) meetFormer(ctx context.Context, api *kube.Client, bundle *trust.Bundle) error {
	if err := s.newcomersAway(s.options.Nodes.Names); err != nil {
		return err
	}
	nodes, err := api.NodeStates(ctx)
	if err != nil {
		return err
	}
	blocks, err := removal.Affinities(ctx, api)
	if err != nil {
		return err
	}
	s.leaving = nil
	var problems diag.Problems
	for _, h := range s.Cluster.Hosts() {
		if !s.options.Nodes.has(h.Name) {
			continue
		}
		var node kube.NodeState
		if i := slices.IndexFunc(nodes, func(n kube.NodeState) bool { return n.Name == h.Name }); i >= 0 {
			node = nodes[i]
		}
		if node.Master || h.Role == inventory.RoleMaster || slices.Contains(s.masters, h.Name) {
			return fmt.Errorf("%s is a master to the cluster: nothing was touched", h.Name)
		}
		have := identity.Namesake{Node: node.UID != "", Address: node.Address}
		if !have.Node {
			if have.Left, err = leftBehind(ctx, api, h.Name, blocks); err != nil {
				return err
			}
		}
		former, problem := identity.Former(h, s.seen[h.Name], have)
		switch _, noted := s.seen[h.Name].Texts[membership.Path]; {
		case problem != nil:
			problems = append(problems, *problem)
		case former:
			n, err := s.toSucceed(ctx, h, node, bundle)
			if err != nil {
				return err
			}
			s.leaving = append(s.leaving, n)
		case noted && have.Node:
			s.Warnings = append(s.Warnings, notReplaced(h.Name, fmt.Sprintf("run `drover node remove %s` before, which drains it, and `drover node add %[1]s` then", h.Name)))
		}
	}
	s.Cluster.Quote(problems)
	if err := problems.Err(); err != nil {
		return err
	}
	s.warnOfRemoval()
	s.warnOfFormer()
	return nil
}

// leftBehind reports whether anything is left in the cluster of a node that is gone: a
// run was cut off that removed it.
func leftBehind(ctx context.Context, api *kube.Client, name string, blocks map[string][]string) (bool, error) {
	if len(blocks[name]) > 0 {
		return true, nil
	}
	pods, err := api.PodsOn(ctx, name)
	return len(pods) > 0, err
}

// toSucceed is the removal of what a machine was whose place another takes. Where the
// cluster knows it at that one's address it is not looked for: another is there.
func (s *Session) toSucceed(ctx context.Context, h inventory.Host, node kube.NodeState, bundle *trust.Bundle) (removal.Node, error) {
	n := removal.Node{Name: h.Name, Address: node.Address, Former: &removal.Former{UID: node.UID}}
	if !n.Address.IsValid() || n.Address == h.Address {
		return n, nil
	}
	machine := h.Name + "@" + n.Address.String()
	n.Former.Machine = machine
	for _, other := range s.Cluster.Hosts() {
		if other.Address == n.Address {
			s.Away[machine] = fmt.Errorf("at %s is %s now", n.Address, other.Name)
		}
	}
	if s.Away[machine] == nil {
		if snap, ok := s.reachAt(ctx, machine, n.Address); ok {
			if err := s.another(h, node, snap); err != nil {
				s.Away[machine] = err
			}
		}
	}
	return n, s.reached(&n, h, bundle)
}

// another is why the machine at a former node's address is not the one it was: nothing
// is taken off that. A reset that was cut off has left no note, but the same machine.
func (s *Session) another(h inventory.Host, node kube.NodeState, snap facts.Snapshot) error {
	_, noted := snap.Texts[membership.Path]
	stranger := s.stranger(snap, h.Name)
	switch {
	case stranger != "":
		return fmt.Errorf("the machine at %s says that it is %s now", node.Address, stranger)
	case snap.MachineID != "" && snap.MachineID == s.seen[h.Name].MachineID:
		return fmt.Errorf("at %s is the machine that is at %s as well", node.Address, h.Address)
	case !noted && (snap.MachineID == "" || snap.MachineID != node.Machine):
		return fmt.Errorf("the machine at %s belongs to no cluster, and is another than the cluster knows there", node.Address)
	}
	return nil
}

// former are the Nodes that have to be gone before those that take their names.
func (s *Session) former(steps removal.Steps) map[string]desired.Former {
	out := map[string]desired.Former{}
	for _, n := range s.leaving {
		if n.Former != nil {
			out[n.Name] = desired.Former{UID: n.Former.UID, Gone: steps.Before[n.Name]}
		}
	}
	return out
}

// warnOfFormer tells of machines whose place others take, and that are not reset.
func (s *Session) warnOfFormer() {
	for _, n := range s.leaving {
		if n.Former == nil || n.Reached || n.Former.UID == "" {
			continue
		}
		why := fmt.Sprintf("another is at %s", n.Address)
		if gone := s.gone[n.On()]; gone != nil {
			why = gone.Error()
		}
		s.Warnings = append(s.Warnings, fmt.Sprintf("the machine that was %s is not reset (%s): see that it does not come back with its disk, as its kubelet would speak for the new one", n.Name, why))
	}
}

// spoken is why a node is not replaced that somebody still speaks for.
func spoken(n removal.Node) string {
	where := "and the machine at its address is another, empty one"
	if n.Former.Machine != "" {
		where = fmt.Sprintf("at %s, and drover cannot reach it there to reset it", n.Address)
	}
	return fmt.Sprintf("the cluster still hears of %s, %s. Two machines must not have one name: power the one before off, and wait until its Node is not Ready, or make it reachable", n.Name, where)
}
