package kube

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// NodeState is how the API sees one node.
type NodeState struct {
	Name     string
	UID      string
	Machine  string     // its machine-id, as its kubelet says
	Trouble  string     // why it is not Ready; empty when it is
	Heard    bool       // its kubelet has spoken of it lately, well or not
	Cordoned bool       // nothing new is put on it
	Leaving  bool       // it is a removal that has cordoned it
	Excluded bool       // drover keeps service addresses from it, and not only until it is proven
	Aside    bool       // service addresses are kept from it, by whomever
	Kubelet  string     // its version, as it says
	Address  netip.Addr // its InternalIP, as its kubelet says; invalid before it has
	Master   bool       // it is labelled as one
}

// NodeStates are all nodes the API knows, whoever made them, by name.
func (c *Client) NodeStates(ctx context.Context) ([]NodeState, error) {
	nodes, err := c.Nodes(ctx)
	return nodes.States(), err
}

// States are how the nodes are, by name.
func (n Nodes) States() []NodeState {
	var out []NodeState
	for _, name := range slices.Sorted(maps.Keys(n)) {
		n := n[name]
		one := NodeState{
			Name: n.Name, UID: string(n.UID), Machine: n.Status.NodeInfo.MachineID, Trouble: nodeTrouble(n), Cordoned: n.Spec.Unschedulable, Kubelet: n.Status.NodeInfo.KubeletVersion,
			Address: internalIP(n), Heard: speaks(n), Leaving: n.Spec.Unschedulable && n.Annotations[leaving] != "", Excluded: n.Annotations[excludedByUs] != "" && (n.Annotations[unproven] == "" || n.Spec.Unschedulable),
			Aside: n.Labels[corev1.LabelNodeExcludeBalancers] != "", // whatever it says, as Kubernetes reads it
		}
		_, one.Master = n.Labels["node-role.kubernetes.io/control-plane"]
		out = append(out, one)
	}
	return out
}

func internalIP(n *corev1.Node) netip.Addr {
	for _, a := range n.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
			return ip.Unmap()
		}
	}
	return netip.Addr{}
}
