package desired

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/calico"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// rbacGate is what lets kubelets and kube-proxy in; the last of the RBAC objects
// stands for all of them.
const rbacGate = plan.ID("cluster/ready:rbac")

// objects is what the API holds.
func (b *builder) objects() error {
	after := []plan.ID{resource.GateID(gateAPI)}
	rbac, err := manifests.RBAC()
	if err != nil {
		return err
	}
	namespaces, err := manifests.Namespaces()
	if err != nil {
		return err
	}
	let := b.apply(append(namespaces, rbac...), after)
	b.add(resource.Gate{Name: "rbac", What: "the API to let kubelets in", Limit: time.Minute, Needs: let,
		Check: func(ctx context.Context, c *cluster.Access) error {
			_, err := c.API(ctx)
			return err
		}})
	dns, err := manifests.CoreDNS{
		Image: "registry.k8s.io/coredns/coredns:v" + b.Cluster.CoreDNS.Version, Address: b.dns(), Replicas: b.Cluster.CoreDNS.Replicas,
	}.Objects()
	if err != nil {
		return err
	}
	names := b.apply(dns, after)
	routes := b.applyAll(b.release, after)
	// The kinds of these come with the release.
	b.applyAll(b.network, routes)
	b.workloads(append(append(names, routes...), resource.GateID(gateNodes)))
	return nil
}

// calico reads Calico's release and makes what is set in it.
func (b *builder) calico() (err error) {
	if b.release, err = b.Rendered.calico(b.CalicoManifest, calico.Options{Endpoint: b.Cluster.API.Endpoint}); err != nil {
		return fmt.Errorf("calico: %w", err)
	}
	n := calico.NetworkOf(b.Cluster)
	if b.network, err = calico.Objects(n); err != nil {
		return fmt.Errorf("calico: %w", err)
	}
	secret, err := calico.PasswordSecret(n)
	if err != nil {
		return fmt.Errorf("calico: %w", err)
	}
	if b.passwords = secret; secret != nil {
		b.network = append([]*unstructured.Unstructured{secret}, b.network...)
	}
	return nil
}

// calicoIDs are Calico's objects, for what waits for them.
func (b *builder) calicoIDs() []plan.ID {
	var out []plan.ID
	for _, o := range slices.Concat(b.release, b.network) {
		out = append(out, resource.ObjectID(o))
	}
	return out
}

func (b *builder) apply(objs []manifests.Object, needs []plan.ID) []plan.ID {
	var list []*unstructured.Unstructured
	for _, o := range objs {
		obj := &unstructured.Unstructured{Object: o}
		if obj.GetKind() != "Namespace" { // those are Kubernetes' own: drover only labels them
			kube.Own(obj) // so that it is found when it is no longer wanted
		}
		list = append(list, obj)
	}
	return b.applyAll(list, needs)
}

func (b *builder) applyAll(objs []*unstructured.Unstructured, needs []plan.ID) []plan.ID {
	var out []plan.ID
	for _, o := range objs {
		r := resource.Object{Object: o, Needs: needs}
		if o == b.passwords {
			r.Complete = func(ctx context.Context, api *kube.Client, secret *unstructured.Unstructured) (*unstructured.Unstructured, error) {
				return withKeptPasswords(ctx, api, secret, b.Cluster.BigIPs)
			}
		}
		out = append(out, b.add(r).ID)
	}
	return out
}

// workloads waits until what drover runs in the cluster runs.
func (b *builder) workloads(needs []plan.ID) {
	keys := []kube.Key{
		calicoNode(),
		{Group: "apps", Kind: "Deployment", Namespace: "kube-system", Name: "calico-kube-controllers"},
		{Group: "apps", Kind: "Deployment", Namespace: "kube-system", Name: "coredns"},
	}
	var away []string
	for _, h := range b.Cluster.Hosts() {
		if b.Away(h.Name) {
			away = append(away, h.Name)
		}
	}
	b.add(resource.Gate{Name: gateWorkloads, What: "Calico and CoreDNS to run everywhere", Limit: 5 * time.Minute, Needs: needs,
		Check: func(ctx context.Context, c *cluster.Access) error {
			api, err := c.API(ctx)
			if err != nil {
				return err
			}
			return api.RolledOut(ctx, away, keys...)
		}, Explain: pods(keys...)})
}
