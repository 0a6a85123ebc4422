package manifests

import (
	"bytes"
	"fmt"
	"net/netip"

	"sigs.k8s.io/yaml"
)

// CoreDNS is the cluster's DNS.
type CoreDNS struct {
	Image    string
	Address  netip.Addr // of the Service: the 10th of the service CIDR
	Domain   string     // of services; empty is cluster.local
	Replicas int        // 0 is 2
}

// Objects are CoreDNS as kubeadm deploys it, with a disruption budget, so that
// draining nodes never takes the last one.
func (c CoreDNS) Objects() ([]Object, error) {
	if c.Image == "" || !c.Address.IsValid() {
		return nil, fmt.Errorf("manifests: CoreDNS: no image or no address")
	}
	c.Domain = domain(c.Domain)
	if c.Replicas == 0 {
		c.Replicas = 2
	}
	return objects("coredns.yaml", c)
}

// RBAC binds the groups that drover uses to Kubernetes' own roles.
func RBAC() ([]Object, error) {
	return objects("rbac.yaml", struct{ Admins, KubeletAPIAdmins, Bootstrappers string }{GroupAdmins, GroupKubeletAPIAdmins, GroupBootstrappers})
}

// Namespaces are labels for namespaces that exist already: kube-system runs
// what needs the host (calico-node), all others get the baseline.
func Namespaces() ([]Object, error) { return objects("namespaces.yaml", nil) }

// objects renders a file of several YAML documents.
func objects(name string, data any) ([]Object, error) {
	text, err := render(name, data)
	if err != nil {
		return nil, err
	}
	var out []Object
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var o Object
		if err := yaml.UnmarshalStrict(doc, &o); err != nil {
			return nil, fmt.Errorf("manifests: %s: %w", name, err)
		}
		if o == nil {
			continue
		}
		out = append(out, o)
	}
	return out, nil
}
