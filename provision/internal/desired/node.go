package desired

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/allocatable"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/voting"
	"github.com/droverctl/drover/provision/plan"
)

// mirrored are the registries whose images a cluster takes.
var mirrored = [...]string{"docker.io", "registry.k8s.io", "quay.io"}

// containerd is the container runtime.
func (b *builder) containerd(h inventory.Host, system []plan.ID) (plan.ID, error) {
	c := manifests.Containerd{
		Service:      b.service(nil),
		SandboxImage: "registry.k8s.io/pause:" + b.Cluster.Pause.Version,
		CgroupDriver: b.cgroupDriver(),
	}
	if registry := b.Cluster.Artifacts.Registry; registry != "" {
		for _, r := range mirrored {
			c.Mirrors = append(c.Mirrors, manifests.RegistryMirror{Registry: r, Mirror: registry, PlainHTTP: b.Cluster.Artifacts.RegistryHTTP})
		}
	}
	files, err := b.Rendered.all(c, c.Files)
	if err != nil {
		return "", err
	}
	var inputs []plan.Item
	needs := slices.Clone(system)
	for _, f := range files {
		item := b.file(h, f)
		if f.Effect == manifests.Nothing { // read when an image is pulled
			needs = append(needs, item.ID)
		} else {
			inputs = append(inputs, item)
		}
	}
	inputs = append(inputs, b.releases(h, artifact.NodeReleases(b.Cluster), "containerd")...)
	// runc and the plugins are run anew for each container.
	needs = append(needs, ids(b.releases(h, artifact.NodeReleases(b.Cluster), "runc", "cni-plugins"))...)
	unit := b.add(resource.Unit{Host: h.Name, Name: manifests.ContainerdUnit, Inputs: inputs, Needs: needs})
	b.add(b.images(h, unit.ID))
	return unit.ID, nil
}

func (b *builder) cgroupDriver() manifests.CgroupDriver {
	if b.Cluster.Containerd.SystemdCgroup {
		return manifests.CgroupDriver("systemd")
	}
	return manifests.CgroupDriver("cgroupfs")
}

// node is what makes a host a node: the kubelet and kube-proxy.
func (b *builder) node(h inventory.Host, needs []plan.ID) error {
	// A kubelet without its Node would only ask for it.
	if err := b.kubelet(h, append(slices.Clone(needs), nodeID(h))); err != nil {
		return err
	}
	return b.kubeProxy(h, needs)
}

func (b *builder) kubelet(h inventory.Host, needs []plan.ID) error {
	kubelet := manifests.Kubelet{
		Service: b.service(h.Kubelet.ExtraArgs), ClusterDNS: b.dns(),
		CgroupDriver: b.cgroupDriver(), MaxPods: h.Kubelet.MaxPods, Config: manifests.Object(h.Kubelet.Config),
	}
	reserved, err := b.reserved(h)
	if err != nil {
		return err
	}
	kubelet.KubeReserved = reserved
	settings, err := b.Rendered.one(kubelet, kubelet.Settings)
	if err != nil {
		return err
	}
	kubelet.NodeName, kubelet.NodeIP = h.Name, h.Address
	unit, err := b.Rendered.one(kubelet, kubelet.Unit)
	if err != nil {
		return err
	}
	files := []rendering{unit, settings}
	ca := sharedItem(h, caFile(pki.ClusterCA))
	if b.Cluster.API.Endpoint != "" && h.Role == inventory.RoleNode {
		b.clusterCA(h) // else it came with the load balancer
	}
	inputs := slices.Concat(b.files(h, files), b.releases(h, artifact.NodeReleases(b.Cluster), "kubelet"), []plan.Item{ca})
	// A join has its time: it begins when the kubelet can.
	if j := b.joiner(h.Name); j != nil && j.Former != nil {
		// What is joined is the new machine: until the former one is no member, a
		// kubelet's credentials tell that a machine is not new.
		needs = append(slices.Clone(needs), voting.RemovalID(j.Name, j.Former.ID))
	}
	join, joined, joining := b.join(h, slices.Concat([]plan.ID{resource.GateID(gateAPI), rbacGate}, needs, ids(inputs)))
	b.add(join)
	b.add(joined)
	if h.Role == inventory.RoleNode {
		s := b.membership(h)
		s.Needs = []plan.ID{joined.ID}
		b.add(s)
	}
	b.add(resource.Unit{Host: h.Name, Name: manifests.KubeletUnit, Inputs: inputs, Needs: append(needs, join.ID), Deadline: joinLimit, Ready: nodeReady(h.Name, joining),
		Ports: []uint16{manifests.KubeletPort(h.Kubelet.Config), manifests.KubeletHealthPort}})
	return nil
}

// reserved is what a kubelet keeps back for itself and the system by the inventory's
// model; what is to be evicted at is what it is without one.
func (b *builder) reserved(h inventory.Host) (map[string]string, error) {
	if b.Machine == nil || !b.Cluster.Capacity.Reserves() {
		return nil, nil
	}
	cores, memory := b.Machine(h.Name)
	if cores == 0 || memory == 0 {
		return nil, fmt.Errorf("%s: its cores and its memory could not be told, so what its kubelet is to keep back cannot either: capacity { reservation = %q }", h.Name, b.Cluster.Capacity.Reservation)
	}
	k, _ := allocatable.OnHost(b.Cluster, h, cores, memory)
	return k.KubeReserved, nil
}

func (b *builder) kubeProxy(h inventory.Host, needs []plan.ID) error {
	proxy := manifests.KubeProxy{
		Service: b.service(b.Cluster.KubeProxy.ExtraArgs), PodCIDR: b.Cluster.PodCIDR, Config: manifests.Object(b.Cluster.KubeProxy.Config),
	}
	settings, err := b.Rendered.one(proxy, proxy.Settings)
	if err != nil {
		return err
	}
	proxy.NodeName = h.Name
	unit, err := b.Rendered.one(proxy, proxy.Unit)
	if err != nil {
		return err
	}
	files := []rendering{unit, settings}
	config, err := b.kubeconfig(h, manifests.KubeProxyKubeconfig, "system:kube-proxy", "kube-proxy")
	if err != nil {
		return err
	}
	inputs := slices.Concat(b.files(h, files), b.releases(h, artifact.NodeReleases(b.Cluster), "kube-proxy"),
		b.certificates(h, pki.NodeCertificates(), nil, "kube-proxy"), []plan.Item{config})
	b.add(resource.Unit{Host: h.Name, Name: manifests.KubeProxyUnit, Inputs: inputs,
		Needs: append(slices.Clone(needs), resource.GateID(gateAPI), rbacGate),
		Ports: []uint16{manifests.ProxyMetricsPort, manifests.ProxyHealthPort}})
	return nil
}

func nodeID(h inventory.Host) plan.ID { return plan.NewID(plan.ClusterHost, "node", h.Name) }

// nodeObject is the host's Node: kubelets do not register themselves, so a
// machine that was removed cannot come back by itself.
func (b *builder) nodeObject(h inventory.Host) resource.Step {
	want := kube.Node{Name: h.Name, Arch: "amd64", Labels: maps.Clone(h.Labels), ToProve: h.Role == inventory.RoleNode}
	if want.Labels == nil {
		want.Labels = map[string]string{}
	}
	if h.FailureDomain != "" {
		want.Labels["topology.kubernetes.io/zone"] = h.FailureDomain
	}
	if h.Role == inventory.RoleMaster {
		want.Labels["node-role.kubernetes.io/control-plane"] = ""
		// Masters announce no service addresses.
		want.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "true"
	}
	for _, t := range h.Taints {
		want.Taints = append(want.Taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: corev1.TaintEffect(t.Effect)})
	}
	step := resource.Step{
		ID: nodeID(h), Needs: []plan.ID{resource.GateID(gateAPI)},
		Want: plan.State{"fields": "as wanted"}, Content: resource.ContentOf(want),
		Look: func(ctx context.Context, seen resource.Seen) (plan.State, error) {
			o, err := seen.Cluster.ObserveNode(ctx, want)
			if err != nil {
				return nil, err
			}
			return resource.ObjectState(o)
		},
		Perform: func(ctx context.Context, w resource.World, c plan.Change) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			want := want
			want.Aside = !b.NewCluster() // there, nobody is served yet
			if err := api.ApplyNode(ctx, want); err != nil || c.Before != nil || b.NewCluster() || w.Hosts[h.Name] == nil {
				return err
			}
			return lookAgain(ctx, w, h)
		},
	}
	if j := b.joiner(h.Name); j != nil && j.FormerNode != "" {
		return anew(step, h.Name, Former{j.FormerNode, []plan.ID{formerNodeID(h.Name)}})
	}
	if f, replaced := b.Former[h.Name]; replaced {
		return anew(step, h.Name, f)
	}
	return step
}

// lookAgain has a kubelet look for its Node that has run without, as on a host that was
// removed while it was dead: it does so ever more seldom, after two minutes in the end.
func lookAgain(ctx context.Context, w resource.World, h inventory.Host) error {
	out, err := w.Host(h.Name)
	if err != nil {
		return err
	}
	runs, err := out.Probe(ctx, host.Cmd{Argv: []string{"systemctl", "is-active", manifests.KubeletUnit}})
	if err != nil || runs.Exit != 0 {
		return err
	}
	return begin(ctx, w, h)
}
