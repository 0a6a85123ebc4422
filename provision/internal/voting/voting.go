package voting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/snapshot"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// Unsettled is how long etcd may refuse to change its members, because some of them
// were not together for long enough.
const Unsettled = time.Minute

// SnapshotID is that of the snapshot before a master joins or goes.
func SnapshotID(master string) plan.ID {
	return plan.NewID(plan.ClusterHost, "etcd-snapshot", "before "+master)
}

// Snapshot takes one of etcd: nothing is changed about its members before. But are
// masters that do not keep it, because they are to go.
func Snapshot(before string, now func() time.Time, but func(etcd.Member) bool, needs ...plan.ID) resource.Step {
	var taken bool // by this run
	want := plan.State{"snapshot": "verified"}
	return resource.Step{
		ID: SnapshotID(before), Needs: needs, Want: want,
		Look: func(context.Context, resource.Seen) (plan.State, error) {
			if !taken {
				return nil, nil
			}
			return want, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			t, err := Take(ctx, w.Cluster, w.Host, now(), but)
			if err != nil {
				return err
			}
			taken = true
			w.Say("a snapshot of etcd is kept on " + t.String())
			return nil
		},
	}
}

// Take has one of the masters take a snapshot of etcd. Those that are not reached are
// passed over.
func Take(ctx context.Context, access *cluster.Access, reached func(string) (host.Writer, error), now time.Time, but func(etcd.Member) bool) (snapshot.Taken, error) {
	masters, err := voters(ctx, access, but)
	if err != nil {
		return snapshot.Taken{}, err
	}
	errs := []error{errors.New("no master that was reached could take a snapshot of etcd")}
	for _, name := range masters {
		master, err := reached(name)
		if err != nil {
			continue // it is a member that was not reached
		}
		t, err := snapshot.Take(ctx, master, now)
		if err == nil {
			return t, nil
		}
		errs = append(errs, err)
	}
	return snapshot.Taken{}, errors.Join(errs...)
}

// voters are the masters whose etcd takes part in the quorum, who leads last: it has
// enough to do.
func voters(ctx context.Context, access *cluster.Access, but func(etcd.Member) bool) ([]string, error) {
	client, err := access.Etcd()
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
		case m.Learner || !m.Answers() || but(m.Member):
		case m.Leader:
			last = append(last, m.Name)
		default:
			names = append(names, m.Name)
		}
	}
	return append(names, last...), nil
}

// Removal is a member that goes.
type Removal struct {
	ID     plan.ID
	Member etcd.Member
	What   string // the member, in the plan's words
	// Heirless are members that are not to lead after it: they go as well.
	Heirless []uint64
	// Serial is the item's.
	Serial string
}

// Gone takes the member away. One that leads meanwhile hands that on first.
func (r Removal) Gone(needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: r.ID, Needs: needs, Serial: r.Serial,
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			there := plan.State{"member": r.What}
			m, err := Member(ctx, seen, func(m etcd.Member) bool { return m.ID == r.Member.ID })
			switch {
			case errors.Is(err, cluster.ErrNoCluster): // it is not asked now, but was before
				return there, nil
			case m == nil || err != nil:
				return nil, err
			}
			return there, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			return Settled(ctx, w, "etcd to be without "+r.Member.String(), Unsettled, func(ctx context.Context, c *etcd.Client) error {
				if err := c.MoveLeader(ctx, r.Member.ID, r.Heirless...); err != nil {
					return err
				}
				return c.Remove(ctx, r.Member.ID)
			})
		},
	}
}

// Yielded has the member lead no more: an election takes seconds, and handing on none.
func (r Removal) Yielded(name string, needs ...plan.ID) resource.Step {
	return resource.Step{
		ID: plan.NewID(plan.ClusterHost, "etcd-lead", name), Needs: needs, Serial: r.Serial, Want: plan.State{"leads": "no"},
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			client, err := seen.Cluster.Etcd()
			if err != nil {
				return nil, err
			}
			defer client.Close()
			s, err := client.Status(ctx)
			if err != nil {
				return nil, err
			}
			leads := slices.ContainsFunc(s.Members, func(m etcd.MemberStatus) bool { return m.ID == r.Member.ID && m.Leader })
			return plan.State{"leads": map[bool]string{true: "yes", false: "no"}[leads]}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			return Settled(ctx, w, "another etcd than that of "+name+" to lead", Unsettled, func(ctx context.Context, c *etcd.Client) error {
				return c.MoveLeader(ctx, r.Member.ID, r.Heirless...)
			})
		},
	}
}

// Settled does something about etcd's members, again and again until it is done.
func Settled(ctx context.Context, w resource.World, what string, limit time.Duration, do func(context.Context, *etcd.Client) error) error {
	client, err := w.Cluster.Etcd()
	if err != nil {
		return err
	}
	defer client.Close()
	return wait.For(ctx, wait.Condition{
		What: what, Limit: limit, Check: func(ctx context.Context) error { return do(ctx, client) },
	}, w.Waiting)
}

// Member is the one of etcd's members that is meant, as their quorum knows it; nil when
// there is none.
func Member(ctx context.Context, seen resource.Seen, meant func(etcd.Member) bool) (*etcd.Member, error) {
	members, err := seen.Cluster.EtcdAgreed(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(members, meant); i >= 0 {
		return &members[i], nil
	}
	return nil, nil
}

// RemovalID is that of a member that goes.
func RemovalID(name string, id uint64) plan.ID {
	return plan.NewID(plan.ClusterHost, "etcd-member", fmt.Sprintf("%s %016x", name, id))
}
