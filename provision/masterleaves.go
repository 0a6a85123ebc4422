package provision

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/removal"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// onLists reports whether a task takes a master away that every host has on a list of its
// own: then every host has to do with it.
func (t NodeTask) onLists(c *inventory.Cluster) bool {
	named := func(h inventory.Host) bool { return t.has(h.Name) }
	return t.removes() && c.API.Endpoint == "" && (t.listed || slices.ContainsFunc(c.KubeMasters, named))
}

// widens reports whether a master is to go that the inventory does not name, so that more
// hosts have to do with it than could be told before the cluster was asked; from then on
// they have.
func (s *Session) widens() bool {
	t := &s.options.Nodes
	if t.Verb != NodeRemove || s.Cluster.API.Endpoint != "" || t.onLists(s.Cluster) {
		return false
	}
	t.listed = slices.ContainsFunc(s.members, func(m cluster.Member) bool { return m.Master && t.has(m.Name) })
	return t.listed
}

// leavingMasters are the masters that are to go, by name.
func (s *Session) leavingMasters() []string {
	var names []string
	for _, n := range s.leaving {
		if n.Master {
			names = append(names, n.Name)
		}
	}
	return names
}

// present is the inventory without who is to go, and without who is in the cluster only by
// its word, as it was removed or never made: what is done about some hosts makes no others.
// Before anything was seen, everybody may be there.
func (s *Session) present() *inventory.Cluster {
	c := s.remaining()
	if s.access == nil {
		return c
	}
	out := *c
	out.KubeMasters = slices.DeleteFunc(slices.Clone(c.KubeMasters), func(h inventory.Host) bool { return !slices.Contains(s.masters, h.Name) })
	out.KubeNodes = slices.DeleteFunc(slices.Clone(c.KubeNodes), func(h inventory.Host) bool {
		_, noted := s.seen[h.Name].Texts[membership.Path]
		return !noted && s.Away[h.Name] == nil
	})
	return &out
}

// lists are the lists of API servers that the hosts which stay have of their own. What is
// done besides all else waits for those that all else makes as well.
func (s *Session) lists() []plan.ID {
	if s.Cluster.API.Endpoint != "" || len(s.leavingMasters()) == 0 {
		return nil
	}
	var ids []plan.ID
	hosts := s.remaining()
	if s.options.Nodes.limited() {
		hosts = s.present()
	}
	for _, h := range hosts.Hosts() {
		if s.Away[h.Name] == nil {
			ids = append(ids, resource.UnitID(h.Name, manifests.HAProxyUnit))
		}
	}
	return ids
}

// mastersLeave finds what the masters that are to go are to etcd, and refuses what the
// others could not do without. Who does not answer goes first: it counts, and is no help.
func (s *Session) mastersLeave(ctx context.Context) error {
	names := s.leavingMasters()
	if len(names) == 0 {
		return nil
	}
	all := strings.Join(names, ", ")
	status, members, err := agreed(ctx, s.access)
	if err != nil {
		return fmt.Errorf("%s cannot be removed: etcd's members are not agreed on, so none can be taken away: %w", all, err)
	}
	for i := range s.leaving {
		if n := &s.leaving[i]; n.Master {
			n.Member = memberOf(*n, members)
		}
	}
	answers := func(n removal.Node) int {
		if n.Member != nil && slices.ContainsFunc(status.Members, func(m etcd.MemberStatus) bool { return m.ID == n.Member.ID && m.Answers() }) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(s.leaving, func(a, b removal.Node) int { return answers(a) - answers(b) })
	return s.refuseLeaving(ctx, all, status)
}

// memberOf is the member that a master's etcd is, or was to become: one that has not
// begun has no name.
func memberOf(n removal.Node, members []etcd.Member) *etcd.Member {
	peer := "https://" + netip.AddrPortFrom(n.Address, manifests.EtcdPeerPort).String()
	for _, m := range members {
		if m.Name == n.Name || m.Name == "" && n.Address.IsValid() && slices.Contains(m.PeerURLs, peer) {
			return &m
		}
	}
	return nil
}

// refuseLeaving refuses to take masters away that are needed, and warns of what is left.
func (s *Session) refuseLeaving(ctx context.Context, all string, status etcd.Status) error {
	var ids []uint64
	for _, n := range s.leaving {
		if n.Member != nil {
			ids = append(ids, n.Member.ID)
		}
	}
	left := 0
	for _, m := range status.Members {
		if !m.Learner && !slices.Contains(ids, m.ID) {
			left++
		}
	}
	switch err := status.RemovingEach(ids...); {
	case left == 0:
		return nobodyStays(all)
	case err != nil:
		return s.needed(all, status, err)
	}
	if left%2 == 0 && len(ids) > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d masters are left, of which %d may fail: an even number survives no more than one less", left, (left-1)/2))
	}
	return s.someServes(ctx, all)
}

// nobodyStays is the refusal to remove the last master.
func nobodyStays(all string) error {
	return fmt.Errorf("%s cannot be removed: no other master is left, and the cluster is what its etcd holds\n  fix: have another master join first, or end the whole cluster with `drover reset`", all)
}

// needed is the refusal of a removal that would cost the quorum.
func (s *Session) needed(all string, status etcd.Status, err error) error {
	var silent []string
	for _, m := range status.Members {
		if !m.Learner && !m.Answers() && !s.options.Nodes.has(m.Name) {
			silent = append(silent, m.String())
		}
	}
	if trouble := status.Err(); trouble != nil {
		err = fmt.Errorf("%w (now %v)", err, trouble)
	}
	fix := "remove fewer at once"
	if len(silent) > 0 {
		fix = fmt.Sprintf("bring back who does not answer, or, if it is dead for good, remove that first: `drover node remove %s --unreachable`", strings.Join(silent, " "))
	}
	return fmt.Errorf("%s cannot be removed: %w\n  fix: %s", all, err, fix)
}

// someServes refuses when no API server would be left: the way to the rest of the removal,
// and of all else.
func (s *Session) someServes(ctx context.Context, all string) error {
	var errs []error
	for _, m := range s.remaining().KubeMasters {
		err := s.access.Ready(ctx, m.Name)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("%s cannot be removed: no other API server is ready: %w\n  fix: bring back one of those, for instance with `drover apply`", all, errors.Join(errs...))
}
