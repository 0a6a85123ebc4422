package desired

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/calico"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/evidence"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/reach"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// blocksOf are the address blocks each host has, by its name: the confirmed
// ones, as no others are announced.
func blocksOf(ctx context.Context, access *cluster.Access) (map[string][]netip.Prefix, error) {
	return cluster.Recall(ctx, access, "blocks", listBlocks)
}

func listBlocks(ctx context.Context, api *kube.Client) (map[string][]netip.Prefix, error) {
	affinities, err := api.List(ctx, schema.GroupKind{Group: calico.Group, Kind: "BlockAffinity"})
	if err != nil {
		return nil, err
	}
	blocks := map[string][]netip.Prefix{}
	for _, a := range affinities {
		spec := func(field string) string {
			s, _, _ := unstructured.NestedString(a.Object, "spec", field)
			return s
		}
		if spec("state") != "confirmed" {
			continue
		}
		block, err := netip.ParsePrefix(spec("cidr"))
		if err != nil {
			return nil, fmt.Errorf("block affinity %s: %w", a.GetName(), err)
		}
		blocks[spec("node")] = append(blocks[spec("node")], block)
	}
	return blocks, nil
}

// proofs are the nodes on which a pod is that proves them, by their names: while a
// run is at it, or because one was killed before it took the pod away.
func proofs(ctx context.Context, access *cluster.Access) (map[string]bool, error) {
	return cluster.Recall(ctx, access, "proofs", func(ctx context.Context, api *kube.Client) (map[string]bool, error) {
		pods, err := api.Owned(ctx, schema.GroupKind{Kind: "Pod"})
		on := map[string]bool{}
		for _, pod := range pods {
			if node, ok := strings.CutPrefix(pod.Name, proofPrefix); ok && pod.Namespace == proofNamespace {
				on[node] = true
			}
		}
		return on, err
	})
}

const (
	proofPrefix    = "drover-proof-"
	proofNamespace = "kube-system"
)

func blockID(h inventory.Host) plan.ID { return plan.NewID(plan.ClusterHost, "block", h.Name) }

// block proves a kube-node before anything runs there: a pod that only pauses is
// put on it, gets an address, and so the node its block, answers, and goes again. Without
// it a node that has had no pod would announce nothing that could be seen. A pod
// that a killed run left there goes, too. That the node has a block proves nothing yet:
// it stays when the pod that got it did not answer.
func (b *builder) block(h inventory.Host, needs []plan.ID) resource.Step {
	var proven bool // by this run
	_, replaced := b.Former[h.Name]
	return resource.Step{
		ID: blockID(h), Needs: needs, Want: plan.State{"block": "there"},
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			if replaced && !proven {
				return nil, nil // a block that is there is that of the machine before
			}
			blocks, err := blocksOf(ctx, seen.Cluster)
			if err != nil || len(blocks[h.Name]) == 0 {
				return nil, err
			}
			left, err := proofs(ctx, seen.Cluster)
			if err != nil {
				return nil, err
			}
			var wanted, aside bool
			if !proven { // else the API has just said that it knows
				if wanted, aside, err = seen.Cluster.Unproven(ctx, h.Name); err != nil {
					return nil, err
				}
			}
			state := plan.State{"block": "there"}
			switch {
			case left[h.Name]:
				state["proof"] = "left behind"
			case wanted && aside:
				state["block"] = "unproven: no pod on the node was seen to answer, and no service address leads to it until then"
			case wanted:
				state["block"] = "unproven: no pod on the node was seen to answer"
			}
			return state, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			if !b.NewCluster() { // there, a gate waits for all nodes at once
				if err := ready(ctx, w, h.Name); err != nil {
					return err
				}
			}
			pod := b.proofPod(h)
			if err := api.Apply(ctx, pod); err != nil {
				return err
			}
			err = wait.For(ctx, wait.Condition{
				What: "a pod on " + h.Name + " to get an address", Limit: 2 * time.Minute, Every: 300 * time.Millisecond,
				Check: func(ctx context.Context) error {
					blocks, err := blocksOf(ctx, w.Cluster)
					if err == nil && len(blocks[h.Name]) == 0 {
						err = fmt.Errorf("%s has no block yet", h.Name)
					}
					return err
				},
			}, w.Waiting)
			if err == nil && !b.NewCluster() { // there, all of it is yet to come up
				if err = answers(ctx, w, pod); err == nil {
					err = b.comesIntoService(ctx, w, h.Name)
				}
			}
			if err != nil && ctx.Err() == nil { // what is known of it goes with it
				err = fmt.Errorf("%w\n%s", err, evidence.Pod(ctx, api, pod.GetNamespace(), pod.GetName()))
			}
			if terr := tidy(context.WithoutCancel(ctx), api, pod, h.Name, err == nil); err == nil {
				err = terr
			}
			proven = err == nil
			return err
		},
	}
}

// proofNeeds are what has to be there before a node is proven. In a cluster that serves,
// one that does not become ready holds up no other.
func (b *builder) proofNeeds(h inventory.Host) []plan.ID {
	if b.NewCluster() {
		return []plan.ID{resource.GateID(gateNodes)}
	}
	return append(b.calicoIDs(), joinedID(h), resource.UnitID(h.Name, manifests.KubeProxyUnit))
}

// ready waits until a node is.
func ready(ctx context.Context, w resource.World, name string) error {
	return wait.For(ctx, wait.Condition{
		What: name + " to be Ready", Limit: readyLimit, Every: time.Second,
		Check: func(ctx context.Context) error { return w.Cluster.NodesReady(ctx, name) },
	}, w.Waiting)
}

// tidy takes the pod away that was to prove a node, and notes that it has, if it has. The
// one does not wait for the other: of a thousand nodes that would be felt.
func tidy(ctx context.Context, api *kube.Client, pod *unstructured.Unstructured, node string, proven bool) error {
	var noted error
	var both sync.WaitGroup
	if proven {
		both.Go(func() { noted = api.Proven(ctx, node) })
	}
	err := api.Delete(ctx, kube.Ref{Key: kube.KeyOf(pod), Version: "v1"})
	both.Wait()
	return errors.Join(noted, err)
}

// answerLimit is how long a pod on a new node may take to answer from elsewhere: the
// other nodes have yet to learn its block.
const answerLimit = 2 * time.Minute

// answers waits until a pod answers a master, who is on another node. That nobody
// listens there is an answer, too. Where policies say who may speak to pods, silence
// proves nothing: nobody is asked, which is said.
func answers(ctx context.Context, w resource.World, pod *unstructured.Unstructured) error {
	if len(w.Cluster.Masters) == 0 {
		return errors.New("no master could be reached")
	}
	from, by := w.Cluster.Masters[0], ""
	err := wait.For(ctx, wait.Condition{
		What: fmt.Sprintf("the pod %s to answer %s", pod.GetName(), from.Name), Limit: answerLimit, Every: time.Second,
		Check: func(ctx context.Context) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			if by, err = policed(ctx, api); by != "" || err != nil {
				return err
			}
			at, err := api.PodIP(ctx, pod.GetNamespace(), pod.GetName())
			if err != nil {
				return err
			}
			return reach.Answers(ctx, from.Dial, netip.AddrPortFrom(at, answerPort))
		},
	}, w.Waiting)
	if err == nil && by != "" {
		w.Say(fmt.Sprintf("not proven: whether %s answers %s from its node was not asked, as the policy %s may keep it from that", pod.GetName(), from.Name, by))
	}
	return err
}

// answerPort is one that nobody listens on: it is reserved.
const answerPort = 1

// policed is a policy that may keep others from a pod that proves a node, if any may.
func policed(ctx context.Context, api *kube.Client) (string, error) {
	for _, k := range []schema.GroupKind{
		{Group: "networking.k8s.io", Kind: "NetworkPolicy"}, {Group: calico.Group, Kind: "NetworkPolicy"},
		{Group: calico.Group, Kind: "GlobalNetworkPolicy"}, {Group: "policy.networking.k8s.io", Kind: "AdminNetworkPolicy"},
		{Group: "policy.networking.k8s.io", Kind: "BaselineAdminNetworkPolicy"},
	} {
		list, err := api.List(ctx, k)
		if err != nil {
			return "", err
		}
		for _, o := range list {
			if ns := o.GetNamespace(); ns == "" || ns == proofNamespace {
				return kube.KeyOf(&o).String(), nil
			}
		}
	}
	return "", nil
}

func (b *builder) proofPod(h inventory.Host) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{
			"name": proofPrefix + h.Name, "namespace": proofNamespace,
			"labels": map[string]any{kube.ManagedByLabel: kube.ManagedBy},
		},
		"spec": map[string]any{
			"nodeName": h.Name, "restartPolicy": "Never", "terminationGracePeriodSeconds": int64(0),
			"automountServiceAccountToken": false,
			"tolerations":                  []any{map[string]any{"operator": "Exists"}},
			"containers": []any{map[string]any{
				"name": "pause", "image": "registry.k8s.io/pause:" + b.Cluster.Pause.Version,
			}},
		},
	}}
}
