package desired

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/calico"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// pullLimit is how long a host may take to pull what its network is made of.
const pullLimit = 10 * time.Minute

// images has a host that is about to join pull what its network is made of while
// the masters come up: else its first pods wait for that. It is an early start
// and no more: what cannot be pulled is the kubelet's to try again and to tell.
func (b *builder) images(h inventory.Host, containerd plan.ID) resource.Step {
	tried := false
	return resource.Step{
		ID: plan.NewID(h.Name, "images", "network"), Needs: []plan.ID{containerd},
		Want: plan.State{"images": "pulled"},
		See:  facts.Scope{Paths: []string{kubeletClientCert}},
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			// A node that has joined pulls by itself.
			if _, joined := seen.Hosts[h.Name].Files[kubeletClientCert]; !joined && !tried {
				return nil, nil
			}
			return plan.State{"images": "pulled"}, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			out, err := w.Host(h.Name)
			if err != nil {
				return err
			}
			tried = true
			argv := []string{"sh", "-c", pullScript, "drover-pull", resource.OptDir + "/containerd/current/bin/ctr", manifests.ContainerdCertsDir}
			_, err = out.Run(ctx, host.Cmd{Argv: append(argv, b.networkImages()...), Limit: pullLimit})
			if err != nil && ctx.Err() == nil {
				w.Waiting(fmt.Sprintf("not pulled yet: %v", err))
				return nil // a host that is lost is noticed by whatever comes next
			}
			return err
		},
	}
}

// pullScript pulls images as the kubelet would, in its namespace and from the
// same mirrors.
const pullScript = `: drover-pull; ctr=$1 hosts=$2; shift 2
for image; do
	"$ctr" --namespace k8s.io images pull --hosts-dir "$hosts" "$image" >/dev/null || exit 1
done`

// networkImages are what a host needs before its first pod has an address.
func (b *builder) networkImages() []string {
	images := []string{"registry.k8s.io/pause:" + b.Cluster.Pause.Version}
	for _, o := range b.release {
		if o.GetKind() == "DaemonSet" {
			images = append(images, calico.Images([]*unstructured.Unstructured{o})...)
		}
	}
	return images
}
