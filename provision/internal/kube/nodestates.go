package kube

import (
	"context"
	"fmt"
)

// NodeState is how the API sees one node.
type NodeState struct {
	Name     string
	Trouble  string // why it is not Ready; empty when it is
	Cordoned bool   // nothing new is put on it
	Kubelet  string // its version, as it says
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
			Name: n.Name, Trouble: nodeTrouble(n), Cordoned: n.Spec.Unschedulable, Kubelet: n.Status.NodeInfo.KubeletVersion,
		}
	}
	return out, nil
}
