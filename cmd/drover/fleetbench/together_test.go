package fleetbench

import (
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
)

// Nodes come, go and are out of service while masters are yet to join, and none of it
// has those join: what is about some nodes is about nothing else. An apply does both.
func TestNodesWhileMastersAreYetToJoin(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.AddMasters(2)
	f.Add(1)
	said(t, f, 0, "node", "add", "kube-node-3", "--auto-approve")
	said(t, f, 0, "node", "cordon", "kube-node-1")
	still(t, f, map[string]string{"kube-node-1": "cordoned", "kube-node-2": "", "kube-node-3": ""})
	said(t, f, 0, "node", "uncordon", "kube-node-1")
	said(t, f, 0, "node", "remove", "kube-node-1", "--auto-approve")
	still(t, f, map[string]string{"kube-node-2": "", "kube-node-3": ""})
	members(t, f, []string{"kube-master-1"})

	f.Drop("kube-node-1")
	said(t, f, 0, "apply", "--prune", "kube-node-2", "--auto-approve")
	members(t, f, []string{"kube-master-1", "kube-master-2", "kube-master-3"},
		"add 10.64.0.2", "promote kube-master-2", "add 10.64.0.3", "promote kube-master-3")
	if nodes := f.Nodes(); len(nodes) != 4 {
		t.Errorf("Nodes: %v", nodes)
	}
}
