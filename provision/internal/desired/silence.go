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
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// Two machines must not have one name: the kubelet of one that runs still would speak for
// the Node of the other. So who is replaced at another address must be dead, which one
// look cannot tell.

// RunsError is a machine that is to be replaced and is heard of.
type RunsError struct {
	Name string
	At   netip.Addr
	What string // is heard: "its etcd answers"
}

func (e *RunsError) Error() string {
	return fmt.Sprintf("the machine before, at %s, still runs: %s; two machines must not have the name %s", e.At, e.What, e.Name)
}

// IsElsewhere reports whether the machine before was at another address than this.
func (j Joiner) IsElsewhere(at netip.Addr, node kube.NodeState) bool {
	return j.Former != nil && j.formerAddress() != at || node.UID != "" && node.Address.IsValid() && node.Address != at
}

// formerAddress is where etcd knows the member before; invalid where it has none.
func (j Joiner) formerAddress() netip.Addr {
	if j.Former == nil {
		return netip.Addr{}
	}
	for _, peer := range j.Former.PeerURLs {
		if a, err := addressOf(peer); err == nil {
			return a
		}
	}
	return netip.Addr{}
}

// Runs is a *RunsError while anything is heard of the machine before: its etcd, even one
// that is cut off from the others, or its kubelet. node is the Node it was, or none.
func (j Joiner) Runs(at netip.Addr, s etcd.Status, node kube.NodeState) error {
	answers := func(m etcd.MemberStatus) bool { return j.Former != nil && m.ID == j.Former.ID && m.Err == nil }
	if slices.ContainsFunc(s.Members, answers) {
		return &RunsError{j.Name, j.formerAddress(), "its etcd answers"}
	}
	// At its own address nobody speaks any more: the new one is there.
	if node.UID != "" && node.Heard && node.Address.IsValid() && node.Address != at {
		return &RunsError{j.Name, node.Address, "its kubelet is heard of"}
	}
	return nil
}

// silence waits until the machine before was not heard of for a while, before anything of
// it is taken away.
func (b *builder) silence(h inventory.Host, j *Joiner, needs ...plan.ID) resource.Step {
	var quiet bool // by this run
	want := plan.State{"heard": "nothing"}
	return resource.Step{
		ID: plan.NewID(plan.ClusterHost, "former-silent", h.Name), Needs: needs, Want: want,
		Look: func(context.Context, resource.Seen) (plan.State, error) {
			if !quiet {
				return nil, nil
			}
			return want, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			err := silent(ctx, h.Name, w.Waiting, func(ctx context.Context) error { return j.heard(ctx, w.Cluster, h) })
			quiet = err == nil
			return err
		},
	}
}

// heard looks at the machine before once.
func (j *Joiner) heard(ctx context.Context, access *cluster.Access, h inventory.Host) error {
	client, err := access.Etcd()
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	api, err := access.API(ctx)
	if err != nil {
		return err
	}
	nodes, err := api.NodeStates(ctx)
	if err != nil {
		return err
	}
	var node kube.NodeState
	if i := slices.IndexFunc(nodes, func(n kube.NodeState) bool { return n.Name == h.Name }); i >= 0 {
		node = nodes[i]
	}
	return j.Runs(h.Address, s, node)
}

const (
	// quietFor is how long nothing must be heard of a machine: longer than an etcd on a
	// busy disk, or in an election, or a link that flaps, does not answer.
	quietFor = 20 * time.Second
	// lookLimit is how long it may take to find that out. A look at a machine that
	// swallows what it is sent takes five seconds.
	lookLimit = time.Minute
)

// silent is nil when a look has found nothing for a while. A look that failed found
// nothing out, and the while begins anew.
func silent(ctx context.Context, name string, waiting func(string), look func(context.Context) error) error {
	var since time.Time
	return wait.For(ctx, wait.Condition{
		What: "the machine that was " + name + " to stay silent", Limit: lookLimit, Every: time.Second,
		Check: func(ctx context.Context) error {
			err := look(ctx)
			switch {
			case errors.As(err, new(*RunsError)):
				return wait.Permanent(err)
			case err != nil:
				since = time.Time{}
				return err
			case since.IsZero():
				since = time.Now()
			}
			if quiet := time.Since(since); quiet < quietFor {
				return fmt.Errorf("nothing was heard of it for %s, and that has to last %s", quiet.Round(time.Second), quietFor)
			}
			return nil
		},
	}, waiting)
}

// addressOf is the address in a peer URL of drover's.
func addressOf(peer string) (netip.Addr, error) {
	u, err := url.Parse(peer)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.ParseAddr(u.Hostname())
}
