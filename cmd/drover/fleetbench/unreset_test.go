package fleetbench

import (
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
)

// Who gives the name of a machine that was removed, and not reset, to another is told of
// it; who brings that machine itself back is not.
func TestNameOfAMachineThatWasNotReset(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	f.PowerOff("kube-node-2")
	says(t, said(t, f, 0, "node", "remove", "kube-node-2", "--unreachable", "--auto-approve"),
		"by itself it comes back into no cluster, as its kubelet makes no Node: as long as no other machine is added under that name, for which it would speak as well")
	const warned = "another machine that was kube-node-2 was removed on "
	f.PowerOn("kube-node-2")
	saysNot(t, said(t, f, 2, "plan"), warned)
	f.Replace("kube-node-2")
	says(t, said(t, f, 2, "plan"), warned)
	says(t, said(t, f, 0, "node", "add", "kube-node-2", "--auto-approve"), warned, "and not reset since: when it comes back with its disk, its kubelet speaks for the new one as well")
	still(t, f, map[string]string{"kube-node-1": "", "kube-node-2": ""})
	saysNot(t, said(t, f, 0, "plan"), warned) // it is done
}
