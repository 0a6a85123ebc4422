package removal

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/reset"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/voting"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// Node is one that is to go.
type Node struct {
	Name    string
	Address netip.Addr // invalid when nobody knows it any more
	Reached bool       // its host is connected to
	Named   bool       // the inventory still names it
	Made    reset.Host // what drover may have made on the host, when it was reached
	Master  bool
	Member  *etcd.Member // that its etcd is; nil when it is none, or none any more
	Former  *Former      // nil: nobody is to have its name afterwards
	// Ended says that a run before this one has removed its Node, which goes when nothing
	// is left to do on its host.
	Ended bool
}

// Former is what is removed of a node whose name another machine is to have.
type Former struct {
	UID string // of its Node; empty when that is gone already
	// Machine is the name under which the machine before is connected to, when the
	// cluster knows it at another address; empty when the other one is at its address.
	Machine string
}

// On is the name under which the node's machine is connected to.
func (n Node) On() string {
	if n.Former != nil {
		return n.Former.Machine
	}
	return n.Name
}

// LeavesAddress reports whether nobody is to be at the node's address afterwards.
func (n Node) LeavesAddress() bool { return n.Former == nil || n.Former.Machine != "" }

// same reports whether a Node that there is is the one to go.
func (n Node) same(use kube.NodeUse) bool {
	return use.Exists && (n.Former == nil || n.Former.UID == use.UID)
}

// Inputs are what a removal is made of.
type Inputs struct {
	Nodes []Node
	Drain Drain
	// Readable are the BIG-IPs whose routes can be seen.
	Readable []inventory.BigIP
	Services netip.Prefix
	// Blind says that there are BIG-IPs whose routes cannot be seen.
	Blind bool
	// Host is the connection to a host.
	Host func(name string) host.Reader
	// Wiped takes what the fleet's lock has left off a host on which nothing else of
	// drover's is any more, or notes that this is to be done when the lock is given back.
	Wiped func(ctx context.Context, name string) error
	// Lists are the lists of API servers on the hosts that stay, without the masters that
	// go.
	Lists []plan.ID
	Now   func() time.Time
}

// Steps are a removal's resources, and what else has to come after a part of it: the
// BIG-IPs forget nodes when those are Drained, and have no stray route when they are
// Gone; lists forget masters when those are Emptied. Forgotten are the BIG-IPs' own
// changes, which hosts are kept for.
type Steps struct {
	Resources              []resource.Resource
	Drained, Gone, Emptied []plan.ID
	// Before is, of each node whose name another machine is to have, what has to be
	// gone before there is a Node of that name again.
	Before map[string][]plan.ID
}

// Of is the removal of nodes. Masters go one after the other, in their order.
func Of(in Inputs, forgotten []plan.ID) Steps {
	s := Steps{Before: map[string][]plan.ID{}}
	add := func(r resource.Resource) plan.ID {
		s.Resources = append(s.Resources, r)
		return r.Item().ID
	}
	var begin, before []plan.ID // the snapshot before anything, and the master before
	for _, n := range in.Nodes {
		if n.Member != nil && len(begin) == 0 {
			begin = []plan.ID{add(in.snapshot(n))}
		}
	}
	for _, n := range in.Nodes {
		var first []plan.ID
		if n.Master {
			first = begin
		}
		drained := in.emptied(n, add, first)
		s.Drained = append(s.Drained, drained)
		needs := append([]plan.ID{drained}, forgotten...)
		if n.Master {
			s.Emptied = append(s.Emptied, drained)
			needs = slices.Concat(needs, in.Lists, before)
			if id := voting.SnapshotID(n.Name); n.Member != nil && !slices.Contains(begin, id) {
				needs = append(needs, add(in.snapshot(n, before...)))
			}
			needs = in.leaves(n, add, needs)
		}
		if n.Reached {
			needs = append(needs, add(in.wiped(n, needs)))
		}
		gone := add(nodeGone(n, needs))
		free := add(blocksGone(n.Name, gone))
		s.Gone = append(s.Gone, gone, free)
		if n.Former != nil {
			s.Before[n.Name] = []plan.ID{gone, free}
		}
		if n.Master {
			before = []plan.ID{gone}
		}
	}
	return s
}

// emptied has nothing new come to a node, and what is there go.
func (in Inputs) emptied(n Node, add func(resource.Resource) plan.ID, needs []plan.ID) (drained plan.ID) {
	cordoned := add(cordonToLeave(n.Name, needs...))
	unserving := []plan.ID{add(Exclude(n.Name, in.Blind, cordoned))}
	for _, f5 := range in.Readable {
		if n.Address.IsValid() {
			unserving = append(unserving, add(in.withdrawn(n, f5, unserving[0])))
		}
	}
	how := in.Drain
	how.Settle = how.Settle && (n.Former == nil || n.Reached) // the dead have nothing to move, and may be missing for room
	drain := Drained(n.Name, n.lives, how, append(unserving, cordoned)...)
	if n.Master { // what comes next takes it off all lists
		drain = in.sparedAfter(drain, n)
	}
	return add(drain)
}

// withdrawLimit is how long a route may be announced after the node was told not to.
const withdrawLimit = 2 * time.Minute

// withdrawn is the proof that no service address leads to the node any more.
func (in Inputs) withdrawn(n Node, f5 inventory.BigIP, needs ...plan.ID) resource.Step {
	state := func(text string) (string, error) {
		routes, err := bgp.ParseRoutes(text)
		if err != nil {
			return "", err
		}
		var by []string
		for _, r := range routes {
			if in.Services.Overlaps(r.Prefix) && r.Prefix.Bits() >= in.Services.Bits() && slices.Contains(r.NextHops, n.Address) {
				by = append(by, r.Prefix.String())
			}
		}
		if len(by) > 0 {
			return "by way of it still: " + strings.Join(by, ", "), nil
		}
		return "none by way of it", nil
	}
	return resource.Step{
		ID: plan.NewID(f5.Name, "withdrawn", n.Name), Needs: needs, Condition: true, Passive: true,
		Want: plan.State{"service routes": "none by way of it"},
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			text, err := state(seen.Hosts[f5.Name].Texts[facts.Routes])
			if err != nil {
				return nil, err
			}
			return plan.State{"service routes": text}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			shell, err := w.Host(f5.Name)
			if err != nil {
				return err
			}
			return wait.For(ctx, wait.Condition{
				What: fmt.Sprintf("%s to have no service route by way of %s", f5.Name, n.Name), Limit: withdrawLimit, Every: time.Second,
				Check: func(ctx context.Context) error {
					snap, err := facts.RoutingShell(ctx, shell)
					if err != nil {
						return err
					}
					text, err := state(snap.Texts[facts.Routes])
					if err == nil && text != "none by way of it" {
						err = errors.New(text)
					}
					return err
				},
			}, w.Waiting)
		},
	}
}

// wiped takes what drover made off the host, and what the fleet's lock has left there, so
// that its Node goes when nothing is left to do on it. A master that the lock is held on
// keeps that until it is given back; until then it is still something to do, so that a run
// that was killed before that is ended by the next.
func (in Inputs) wiped(n Node, needs []plan.ID) resource.Step {
	var done atomic.Bool
	return resource.Step{
		ID: plan.NewID(n.On(), "reset", "drover"), Needs: needs, Want: nil,
		Look: func(ctx context.Context, _ resource.Seen) (plan.State, error) {
			h := in.Host(n.On())
			if h == nil {
				return nil, fmt.Errorf("%s: no connection to it", n.On())
			}
			traces, err := n.Made.Look(ctx, h)
			if err != nil {
				return nil, err
			}
			state := plan.State{}
			count := map[string]int{}
			for _, t := range traces {
				if t.Kind == "lock" && done.Load() { // that this is done under
					continue
				}
				count[t.Kind]++
				state[t.Kind] = fmt.Sprint(count[t.Kind])
			}
			if len(state) == 0 {
				return nil, nil
			}
			return state, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			h, err := w.Host(n.On())
			if err != nil {
				return err
			}
			if err := drained(ctx, w.Cluster, n.Name); err != nil {
				return err
			}
			if err := n.Made.Wipe(ctx, h); err != nil {
				return err
			}
			done.Store(true)
			return in.Wiped(ctx, n.On())
		},
	}
}

// nodeGone is the node's object, which is what Calico knows of it, too, and the pods
// that were there for its sake: nobody is left to end them.
func nodeGone(n Node, needs []plan.ID) resource.Step {
	name, kind := n.Name, "node"
	if n.Former != nil {
		kind = "former-node" // there is to be another
	}
	return resource.Step{
		ID: id(kind, name), Needs: needs, Want: nil,
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			use, err := useOf(ctx, seen.Cluster, name)
			if err != nil {
				return nil, err
			}
			if use.Exists && !n.same(use) { // what is on that one is its own
				return nil, nil
			}
			api, err := seen.Cluster.API(ctx)
			if err != nil {
				return nil, err
			}
			left, err := api.PodsOn(ctx, name)
			switch {
			case err != nil:
				return nil, err
			case use.Exists:
				return plan.State{"Node": "there"}, nil
			case len(left) > 0:
				return plan.State{"pods": "left behind"}, nil
			}
			return nil, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			if err := silent(ctx, w, n); err != nil {
				return err
			}
			// While there is a Node: who is killed now finds it again by that, and nothing else
			// tells of these.
			if err := api.ForgetRequests(ctx, name); err != nil {
				return err
			}
			if n.Master {
				if err := api.ForgetAPIServer(ctx, name); err != nil {
					return err
				}
			}
			if err := api.Delete(ctx, kube.Ref{Key: kube.Key{Kind: "Node", Name: name}, Version: "v1"}); err != nil {
				return err
			}
			return wait.For(ctx, wait.Condition{
				What: "Node " + name + " and its pods to be gone", Limit: 2 * time.Minute, Every: 300 * time.Millisecond,
				Check: func(ctx context.Context) error {
					use, err := useOf(ctx, w.Cluster, name)
					if err != nil {
						return err
					}
					switch {
					case use.Exists && use.Finalizers != "":
						return fmt.Errorf("the Node is deleted, and is kept by its finalizers %s", use.Finalizers)
					case use.Exists:
						return errors.New("the Node is still there")
					}
					return api.Bury(ctx, name)
				},
			}, w.Waiting)
		},
	}
}

// silent makes sure that nobody speaks for a node any more whose machine was not reset: it
// would go on with all that it has, and when another is to have its name, the cluster would
// hear two.
func silent(ctx context.Context, w resource.World, n Node) error {
	if n.Reached {
		return nil
	}
	use, err := useOf(ctx, w.Cluster, n.Name)
	switch {
	case err != nil || !n.same(use) || !use.Speaks:
	case n.Former == nil:
		err = fmt.Errorf("the cluster hears of %s again, whose host was not reset, so its Node stays: the same command goes on when its host can be reached, or is off", n.Name)
	default:
		err = fmt.Errorf("the cluster hears of %s again, and from another machine than the one that is to have its name: power that off, or reset it", n.Name)
	}
	return err
}
