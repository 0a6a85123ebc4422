package desired

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/voting"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// Joiner is a master whose etcd is to become a member of one that there is.
type Joiner struct {
	Name string
	// Former is the member that a machine of this name was before, and FormerNode the UID
	// of its Node: both go first. nil and empty where there is none.
	Former     *etcd.Member
	FormerNode string
	// Elsewhere says that the machine before was at another address, so that it may run
	// beside this one.
	Elsewhere bool
}

// joiner is how a master joins; nil when it is a member, or is to begin a cluster.
func (b *builder) joiner(name string) *Joiner {
	if i := slices.IndexFunc(b.Joining, func(j Joiner) bool { return j.Name == name }); i >= 0 {
		return &b.Joining[i]
	}
	return nil
}

// members are those masters of them that are not to join first: their etcds and API
// servers are what the rest relies on meanwhile.
func (b *builder) members(all []inventory.Host) []inventory.Host {
	return slices.DeleteFunc(slices.Clone(all), func(h inventory.Host) bool { return b.joiner(h.Name) != nil })
}

func learnerID(name string) plan.ID    { return plan.NewID(plan.ClusterHost, "etcd-learner", name) }
func voteID(name string) plan.ID       { return plan.NewID(plan.ClusterHost, "etcd-vote", name) }
func formerNodeID(name string) plan.ID { return plan.NewID(plan.ClusterHost, "former-node", name) }

// quorumOfEtcd is what has to be there before a master's API server.
func (b *builder) quorumOfEtcd(h inventory.Host) plan.ID {
	if b.joiner(h.Name) != nil {
		return voteID(h.Name)
	}
	return resource.GateID(gateEtcd)
}

// joinEtcd has a master's etcd become a learner and, once its unit runs and has caught
// up, a voter. ready is all that the unit needs: before it is there nobody is taken away,
// and a member that cannot start yet would be missing. One comes after the other: each
// is a voter before anything begins about the next.
func (b *builder) joinEtcd(h inventory.Host, j *Joiner, ready []plan.ID) {
	if i := slices.IndexFunc(b.Joining, func(o Joiner) bool { return o.Name == h.Name }); i > 0 {
		ready = append(ready, voteID(b.Joining[i-1].Name))
	}
	former := func(m etcd.Member) bool { return j.Former != nil && m.ID == j.Former.ID }
	first := b.add(voting.Snapshot(j.Name, b.Now, former, ready...)).ID
	if j.Elsewhere {
		first = b.add(b.silence(h, j, first)).ID
	}
	if j.FormerNode != "" {
		first = b.add(b.removeFormerNode(j, first)).ID
	}
	if j.Former != nil {
		former := voting.Removal{ID: voting.RemovalID(j.Name, j.Former.ID), Member: *j.Former, What: "of the machine before"}
		first = b.add(former.Gone(first)).ID
	}
	if j.Name == b.Joining[0].Name {
		for _, m := range b.Strays {
			first = b.add(removeStray(m, first)).ID
		}
	}
	b.add(b.addLearner(h, j, first))
	b.add(b.promote(h, j))
}

// addLearner adds a master's etcd to the members, without a vote.
func (b *builder) addLearner(h inventory.Host, j *Joiner, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: learnerID(h.Name), Needs: needs, Want: plan.State{"member": "known"},
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			m, err := voting.Member(ctx, seen, j.at(h))
			if m == nil || err != nil {
				return nil, err
			}
			return plan.State{"member": "known"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			return voting.Settled(ctx, w, "etcd to take "+h.Name+" as a learner", voting.Unsettled, func(ctx context.Context, c *etcd.Client) error {
				_, err := c.AddLearner(ctx, peerURL(h))
				return err
			})
		},
	}
}

// promote gives a master's etcd its vote when it has caught up.
func (b *builder) promote(h inventory.Host, j *Joiner) resource.Step {
	return resource.Step{
		ID: voteID(h.Name), Needs: []plan.ID{resource.UnitID(h.Name, manifests.EtcdUnit)}, Want: plan.State{"vote": "has one"},
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			m, err := voting.Member(ctx, seen, j.at(h))
			if m == nil || err != nil {
				return nil, err
			}
			if m.Learner || m.Name == "" {
				return plan.State{"vote": "has none yet"}, nil
			}
			return plan.State{"vote": "has one"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			return voting.Settled(ctx, w, "etcd on "+h.Name+" to catch up and get its vote", catchUp, func(ctx context.Context, c *etcd.Client) error {
				members, err := c.Agreed(ctx)
				if err != nil {
					return err
				}
				i := slices.IndexFunc(members, j.at(h))
				if i < 0 {
					return wait.Permanent(fmt.Errorf("etcd has no member at %s any more", peerURL(h)))
				}
				if err := c.Promote(ctx, members[i].ID); err != nil {
					return err
				}
				return w.Cluster.EtcdOf(ctx, h.Name)
			})
		},
		Explain: b.unit(h.Name, manifests.EtcdUnit),
	}
}

// catchUp is how long a learner may take to be sent what there is: gigabytes.
const catchUp = 10 * time.Minute

func peerURL(h inventory.Host) string {
	return "https://" + netip.AddrPortFrom(h.Address, manifests.EtcdPeerPort).String()
}

// at tells the member that is at a host's address and is not the former one, which may
// have had the same. Its name it tells only when it has started.
func (j *Joiner) at(h inventory.Host) func(etcd.Member) bool {
	return func(m etcd.Member) bool {
		return slices.Contains(m.PeerURLs, peerURL(h)) && (j.Former == nil || m.ID != j.Former.ID)
	}
}

// joinOf is how a master's etcd finds the members there are, of which it is one: etcd
// takes no other list than the one it has itself.
func (b *builder) joinOf(ctx context.Context, w resource.World, h inventory.Host, j *Joiner) (manifests.EtcdJoin, error) {
	join := manifests.EtcdJoin{Token: b.etcdToken(), Members: map[string]netip.Addr{}}
	members, err := w.Cluster.EtcdAgreed(ctx)
	if err != nil {
		return join, err
	}
	for _, m := range members {
		name := m.Name
		switch {
		case j.at(h)(m):
			name = h.Name
		case name == "":
			return join, fmt.Errorf("etcd has a member %s that never started and is none of this inventory: remove it first (etcdctl member remove %016x)", m, m.ID)
		}
		if len(m.PeerURLs) != 1 {
			return join, fmt.Errorf("etcd's member %s has the peer URLs %q, and drover makes members with one", name, m.PeerURLs)
		}
		var err error
		if join.Members[name], err = addressOf(m.PeerURLs[0]); err != nil {
			return join, fmt.Errorf("etcd's member %s has the peer URL %q: %w", name, m.PeerURLs[0], err)
		}
	}
	if _, known := join.Members[h.Name]; !known {
		return join, fmt.Errorf("etcd has no member at %s any more", peerURL(h))
	}
	return join, nil
}
