package desired

import (
	"context"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/evidence"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
)

// What is looked up when a condition is not met: on the hosts that it is not met on.

// mostExplained is how many hosts are told of: the first ones tell what is wrong.
const mostExplained = 3

// explainer tells of one thing.
type explainer = func(ctx context.Context, w resource.World) string

// unit tells of a host's unit.
func (b *builder) unit(host, name string) explainer {
	return func(ctx context.Context, w resource.World) string {
		for _, r := range b.out {
			if u, ok := r.(resource.Unit); ok && u.Host == host && u.Name == name {
				return u.Evidence(ctx, w)
			}
		}
		return ""
	}
}

// masters tells of a unit on the masters whose part of the cluster is not well.
func (b *builder) masters(unit string, well func(a *cluster.Access, ctx context.Context, master string) error) explainer {
	return func(ctx context.Context, w resource.World) string {
		var out []string
		for _, m := range b.hosts(b.Cluster.KubeMasters) {
			if len(out) < mostExplained && well(w.Cluster, ctx, m.Name) != nil {
				out = append(out, b.unit(m.Name, unit)(ctx, w))
			}
		}
		return strings.Join(out, "\n")
	}
}

func (b *builder) kubeletOf(h inventory.Host) explainer { return b.unit(h.Name, manifests.KubeletUnit) }

// unreadyNodes tells of the kubelets whose nodes are not ready, and of Calico there.
func (b *builder) unreadyNodes(ctx context.Context, w resource.World) string {
	api, err := w.Cluster.API(ctx)
	if err != nil {
		return ""
	}
	var out []string
	for _, h := range b.hosts(b.Cluster.Hosts()) {
		if len(out) < mostExplained && api.NodesReady(ctx, h.Name) != nil {
			out = append(out, b.kubeletOf(h)(ctx, w))
			if text := evidence.Pods(ctx, api, h.Name, calicoNode()); text != "" {
				out = append(out, text)
			}
		}
	}
	return strings.Join(out, "\n")
}

// calicoNode is what makes a node's network.
func calicoNode() kube.Key {
	return kube.Key{Group: "apps", Kind: "DaemonSet", Namespace: "kube-system", Name: "calico-node"}
}

// pods tells of what runs in the cluster.
func pods(keys ...kube.Key) explainer {
	return func(ctx context.Context, w resource.World) string {
		api, err := w.Cluster.API(ctx)
		if err != nil {
			return ""
		}
		return evidence.Pods(ctx, api, "", keys...)
	}
}
