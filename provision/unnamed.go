package provision

import (
	"fmt"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/kube"
)

// taken is why the machine at the address of a node that the inventory does not name any
// more is not it: the inventory has another host there.
func (s *Session) taken(h inventory.Host) error {
	for _, other := range s.Cluster.Hosts() {
		if other.Address == h.Address {
			return fmt.Errorf("%s: at %s, where the cluster knows it, is %s now", h.Name, h.Address, other.Name)
		}
	}
	return nil
}

// proven is nil when the machine at such a node's address is the one that the node was.
// Its note says so; when a reset that was cut off has left none, what the cluster knows
// of the machine has to.
func (s *Session) proven(h inventory.Host, snap facts.Snapshot) error {
	return s.another(h, kube.NodeState{Name: h.Name, Address: h.Address, Machine: s.machine(h.Name)}, snap)
}
