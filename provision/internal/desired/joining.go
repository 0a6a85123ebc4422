package desired

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/snapshot"
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

func snapshotID(name string) plan.ID {
	return plan.NewID(plan.ClusterHost, "etcd-snapshot", "before "+name)
}
func learnerID(name string) plan.ID { return plan.NewID(plan.ClusterHost, "etcd-learner", name) }
func voteID(name string) plan.ID    { return plan.NewID(plan.ClusterHost, "etcd-vote", name) }
func formerID(j *Joiner) plan.ID {
	return plan.NewID(plan.ClusterHost, "etcd-member", fmt.Sprintf("%s %016x", j.Name, j.Former.ID))
}
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
	first := b.add(b.takeSnapshot(j, ready)).ID
	if j.FormerNode != "" {
		first = b.add(b.removeFormerNode(j, first)).ID
	}
	if j.Former != nil {
		first = b.add(b.removeFormer(j, first)).ID
	}
	b.add(b.addLearner(h, j, first))
	b.add(b.promote(h, j))
}

// takeSnapshot takes one of etcd: nothing is changed about its members before.
func (b *builder) takeSnapshot(j *Joiner, needs []plan.ID) resource.Step {
	var taken bool // by this run
	want := plan.State{"snapshot": "verified"}
	return resource.Step{
		ID: snapshotID(j.Name), Needs: needs, Want: want,
		Look: func(context.Context, resource.Seen) (plan.State, error) {
			if !taken {
				return nil, nil
			}
			return want, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			hosts, err := voters(ctx, w, j.Former)
			if err != nil {
				return err
			}
			var errs []error
			for _, name := range hosts {
				master, err := w.Host(name)
				if err != nil {
					continue // it is a member that was not reached
				}
				t, err := snapshot.Take(ctx, master, b.Now())
				if err == nil {
					taken = true
					w.Say("a snapshot of etcd is kept on " + t.String())
					return nil
				}
				errs = append(errs, err)
			}
			return errors.Join(append([]error{errors.New("no master that was reached could take a snapshot of etcd")}, errs...)...)
		},
	}
}

// voters are the masters whose etcd takes part in the quorum, who leads last: it has
// enough to do.
func voters(ctx context.Context, w resource.World, but *etcd.Member) ([]string, error) {
	client, err := w.Cluster.Etcd()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	s, err := client.Status(ctx)
	if err != nil {
		return nil, err
	}
	var names, last []string
	for _, m := range s.Members {
		switch {
		case m.Learner || !m.Answers() || but != nil && m.ID == but.ID:
		case m.Leader:
			last = append(last, m.Name)
		default:
			names = append(names, m.Name)
		}
	}
	return append(names, last...), nil
}

// removeFormer takes the member away that a machine of this name was before.
func (b *builder) removeFormer(j *Joiner, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: formerID(j), Needs: needs,
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			there := plan.State{"member": "of the machine before"}
			m, err := member(ctx, seen, func(m etcd.Member) bool { return m.ID == j.Former.ID })
			switch {
			case errors.Is(err, cluster.ErrNoCluster): // it is not asked now, but was before
				return there, nil
			case m == nil || err != nil:
				return nil, err
			}
			return there, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			return settledEtcd(ctx, w, "etcd to be without "+j.Former.String(), unsettled, func(ctx context.Context, c *etcd.Client) error {
				return c.Remove(ctx, j.Former.ID)
			})
		},
	}
}

// addLearner adds a master's etcd to the members, without a vote.
func (b *builder) addLearner(h inventory.Host, j *Joiner, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: learnerID(h.Name), Needs: needs, Want: plan.State{"member": "known"},
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			m, err := member(ctx, seen, j.at(h))
			if m == nil || err != nil {
				return nil, err
			}
			return plan.State{"member": "known"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			return settledEtcd(ctx, w, "etcd to take "+h.Name+" as a learner", unsettled, func(ctx context.Context, c *etcd.Client) error {
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
			m, err := member(ctx, seen, j.at(h))
			if m == nil || err != nil {
				return nil, err
			}
			if m.Learner || m.Name == "" {
				return plan.State{"vote": "has none yet"}, nil
			}
			return plan.State{"vote": "has one"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			return settledEtcd(ctx, w, "etcd on "+h.Name+" to catch up and get its vote", catchUp, func(ctx context.Context, c *etcd.Client) error {
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

const (
	// unsettled is how long etcd may refuse to change its members, because some of
	// them were not together for long enough.
	unsettled = time.Minute
	// catchUp is how long a learner may take to be sent what there is: gigabytes.
	catchUp = 10 * time.Minute
)

// settledEtcd does something about etcd's members, again and again until it is done.
func settledEtcd(ctx context.Context, w resource.World, what string, limit time.Duration, do func(context.Context, *etcd.Client) error) error {
	client, err := w.Cluster.Etcd()
	if err != nil {
		return err
	}
	defer client.Close()
	return wait.For(ctx, wait.Condition{
		What: what, Limit: limit, Check: func(ctx context.Context) error { return do(ctx, client) },
	}, w.Waiting)
}

// member is the one of etcd's members that is meant, as their quorum knows it; nil
// when there is none.
func member(ctx context.Context, seen resource.Seen, meant func(etcd.Member) bool) (*etcd.Member, error) {
	members, err := seen.Cluster.EtcdAgreed(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(members, meant); i >= 0 {
		return &members[i], nil
	}
	return nil, nil
}

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
		u, err := url.Parse(m.PeerURLs[0])
		if err == nil {
			join.Members[name], err = netip.ParseAddr(u.Hostname())
		}
		if err != nil {
			return join, fmt.Errorf("etcd's member %s has the peer URL %q: %w", name, m.PeerURLs[0], err)
		}
	}
	if _, known := join.Members[h.Name]; !known {
		return join, fmt.Errorf("etcd has no member at %s any more", peerURL(h))
	}
	return join, nil
}
