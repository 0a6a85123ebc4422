package desired

import (
	"context"
	"slices"
	"time"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// apiReady is asked of one master's API server after each start.
func apiReady(master string) func(context.Context, resource.World, plan.Action) error {
	return func(ctx context.Context, w resource.World, _ plan.Action) error { return w.Cluster.Ready(ctx, master) }
}

// nodeReady is asked after a kubelet was started again. One that is to join is
// another matter: its node is ready only when it has, and Calico is, and a gate
// waits for that.
func nodeReady(node string, joining func() bool) func(context.Context, resource.World, plan.Action) error {
	return func(ctx context.Context, w resource.World, a plan.Action) error {
		if a == plan.Create || joining() {
			return nil
		}
		api, err := w.Cluster.API(ctx)
		if err != nil {
			return err
		}
		return api.NodesReady(ctx, node)
	}
}

// Names of the gates.
const (
	gateEtcd      = "etcd"
	gateAPI       = "api"
	gateNodes     = "nodes"
	gateWorkloads = "workloads"
)

// readyLimit is how long nodes may take to be Ready.
const readyLimit = 5 * time.Minute

// gates are the conditions the rest waits for.
func (b *builder) gates() {
	var etcds, apis, joined []plan.ID
	var names []string
	joining := slices.Clone(b.Leaving) // of whom nothing is expected
	for _, j := range b.Joining {
		joining = append(joining, j.Name)
	}
	for _, m := range b.members(b.hosts(b.Cluster.KubeMasters)) {
		etcds = append(etcds, resource.UnitID(m.Name, manifests.EtcdUnit))
		apis = append(apis, resource.UnitID(m.Name, manifests.APIServerUnit))
	}
	for _, h := range b.hosts(b.Cluster.Hosts()) {
		joined = append(joined, joinedID(h), resource.UnitID(h.Name, manifests.KubeProxyUnit))
		names = append(names, h.Name)
	}
	b.add(resource.Gate{Name: gateEtcd, What: "a quorum of etcd", Limit: 2 * time.Minute, Needs: etcds,
		Check:   func(ctx context.Context, c *cluster.Access) error { return c.EtcdHealthy(ctx, joining...) },
		Explain: b.masters(manifests.EtcdUnit, (*cluster.Access).EtcdOf)})
	b.add(resource.Gate{Name: gateAPI, What: "an API server that is ready", Limit: 2 * time.Minute, Needs: apis,
		Check: func(ctx context.Context, c *cluster.Access) error {
			_, err := c.API(ctx)
			return err
		}, Explain: b.masters(manifests.APIServerUnit, (*cluster.Access).Ready)})
	b.add(resource.Gate{Name: gateNodes, What: "all nodes to be Ready", Limit: readyLimit, Needs: append(joined, b.calicoIDs()...),
		Check: func(ctx context.Context, c *cluster.Access) error {
			if err := b.formerNodes(ctx, c); err != nil {
				return err
			}
			return c.NodesReady(ctx, names...)
		},
		Explain: b.unreadyNodes})
}
