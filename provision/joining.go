package provision

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/identity"
	"github.com/droverctl/drover/provision/internal/kube"
)

// mayDiffer reports whether it is no matter that a machine is not the member of its name:
// it is to take its place, or that member is to go.
func (s *Session) mayDiffer(name string) bool {
	t := s.options.Nodes
	return t.replaces(name) || t.removes() && t.has(name)
}

// nothingToReplace refuses to replace a master where there is no cluster: on empty
// machines one would begin.
func (s *Session) nothingToReplace() error {
	replaced := s.options.Nodes.replaced()
	if len(replaced) == 0 {
		return nil
	}
	return fmt.Errorf("%s cannot be replaced: no master that was reached is a member of a cluster %q. A cluster's data is on its masters: where none is left, it is restored from a snapshot",
		replaced[0], s.Cluster.Name)
}

// meetJoiners finds the masters that are to become members of the etcd there is. To
// what takes nodes away, or out of service, it is all the same.
func (s *Session) meetJoiners(ctx context.Context, access *cluster.Access) error {
	if t := s.options.Nodes; t.limited() && t.Verb != NodeAdd {
		return nil
	}
	replaced := s.options.Nodes.replaced()
	if err := s.newcomersAway(replaced); err != nil {
		return err
	}
	if len(replaced) == 0 && identity.Members(s.remaining(), s.seen, s.masters) {
		return nil
	}
	status, members, err := agreed(ctx, access)
	if err != nil {
		err = fmt.Errorf("etcd's members are not agreed on, so none can be added or taken away: %w", err)
		if len(replaced) > 0 {
			return err
		}
		if unproven := s.unproven(); len(unproven) > 0 {
			return fmt.Errorf("nothing is begun on %s, as only etcd knows whether a member of that name lost its disk: %w\n  fix: bring etcd's members back; until then, leave %[1]s out of the inventory", strings.Join(unproven, ", "), err)
		}
		s.unable(err.Error())
		return nil
	}
	joiners, err := identity.Joining(s.remaining(), s.seen, members, s.options.Nodes.replaces)
	if err != nil {
		return err
	}
	for _, name := range replaced {
		if !slices.ContainsFunc(joiners, func(j identity.Joiner) bool { return j.Name == name }) {
			s.Warnings = append(s.Warnings, notReplaced(name, "run `drover reset "+name+"` before"))
		}
	}
	for _, j := range joiners {
		one, err := s.joiner(ctx, j, status)
		if err != nil {
			return err
		}
		s.joining = append(s.joining, one)
	}
	s.strays = identity.Strays(s.Cluster, members)
	return nil
}

// unproven are the empty masters on which this run would begin something.
func (s *Session) unproven() []string {
	t := s.options.Nodes
	return slices.DeleteFunc(identity.Unproven(s.remaining(), s.seen), func(name string) bool { return t.limited() && !t.has(name) })
}

// joiner is how a master joins, unless the machine before is needed, or runs.
func (s *Session) joiner(ctx context.Context, j identity.Joiner, status etcd.Status) (desired.Joiner, error) {
	one := desired.Joiner{Name: j.Name, Former: j.Former}
	if j.Former != nil {
		if err := status.Removing(j.Former.ID); err != nil {
			return one, refusal("replaced", j.Name, status, err)
		}
	}
	if !s.options.Nodes.replaces(j.Name) {
		return one, nil
	}
	at := s.address(j.Name)
	node, err := s.formerNode(ctx, j.Name)
	unknown := errors.Is(err, cluster.ErrNoCluster) // it was warned that it does not answer
	one.FormerNode, one.Elsewhere = node.UID, one.IsElsewhere(at, node)
	switch {
	case unknown && one.Elsewhere:
		return one, fmt.Errorf("%s cannot be replaced: whether the machine before still runs is not known while the cluster's API cannot be asked\n  fix: mend the API, for instance by `drover apply` with its former address in the inventory", j.Name)
	case err != nil && !unknown:
		return one, err
	}
	if err := one.Runs(at, status, node); err != nil {
		return one, fmt.Errorf("%s cannot be replaced: %w\n  fix: power that machine off for good and wait until nothing is heard of it; or, with its former address in the inventory, run `drover node remove %[1]s`, which resets it, and let the other one join by `drover apply`", j.Name, err)
	}
	if one.Elsewhere {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the machine that was %s is not reset: see that it does not come back with its disk, as its kubelet would speak for the new one, and it holds the cluster's keys", j.Name))
	}
	return one, nil
}

// address is a host's in the inventory.
func (s *Session) address(name string) (at netip.Addr) {
	for _, h := range s.Cluster.Hosts() {
		if h.Name == name {
			at = h.Address
		}
	}
	return at
}

// refusal says why a member is not taken away, and what would change that.
func refusal(done, name string, s etcd.Status, err error) error {
	fix := fmt.Sprintf("bring back who does not answer; then it can be %s", done)
	if s.Quorum().Voters == 1 {
		fix = "its data is nowhere else: bring its machine back; a cluster of three masters can do without one of them"
	}
	if trouble := s.Err(); trouble != nil {
		err = fmt.Errorf("%w (now %v)", err, trouble)
	}
	return fmt.Errorf("%s cannot be %s: %w\n  fix: %s", name, done, err, fix)
}

// agreed is how etcd is, and its members as their quorum knows them.
func agreed(ctx context.Context, access *cluster.Access) (etcd.Status, []etcd.Member, error) {
	client, err := access.Etcd()
	if err != nil {
		return etcd.Status{}, nil, err
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return etcd.Status{}, nil, err
	}
	if !status.Quorum().Has() {
		return status, nil, status.Err()
	}
	members, err := client.Agreed(ctx)
	return status, members, err
}

// formerNode is the Node that a machine was before which another has taken the place of:
// its kubelet has spoken, and the machine there has none that could have.
func (s *Session) formerNode(ctx context.Context, name string) (kube.NodeState, error) {
	if _, joined := s.seen[name].Files[identity.KubeletCert]; joined {
		return kube.NodeState{}, nil
	}
	api, err := s.access.API(ctx)
	if err != nil {
		return kube.NodeState{}, err
	}
	nodes, err := api.NodeStates(ctx)
	for _, n := range nodes {
		if n.Name == name && n.Address.IsValid() {
			return n, err
		}
	}
	return kube.NodeState{}, err
}
