package kube

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// NodeState is how the API sees one node.
type NodeState struct {
	Name     string
	UID      string
	Trouble  string     // why it is not Ready; empty when it is
	Cordoned bool       // nothing new is put on it
	Kubelet  string     // its version, as it says
	Address  netip.Addr // its InternalIP, as its kubelet says; invalid before it has
	Master   bool       // it is labelled as one
}

// NodeStates are all nodes the API knows, whoever made them.
func (c *Client) NodeStates(ctx context.Context) ([]NodeState, error) {
	nodes, err := c.allNodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	out := make([]NodeState, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		out[i] = NodeState{
			Name: n.Name, UID: string(n.UID), Trouble: nodeTrouble(n), Cordoned: n.Spec.Unschedulable, Kubelet: n.Status.NodeInfo.KubeletVersion,
			Address: internalIP(n),
		}
		_, out[i].Master = n.Labels["node-role.kubernetes.io/control-plane"]
	}
	return out, nil
}

func internalIP(n *corev1.Node) netip.Addr {
	for _, a := range n.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
			return ip.Unmap()
		}
	}
	return netip.Addr{}
}
