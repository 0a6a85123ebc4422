package provision

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/cluster"
)

// Who has the address of a node that the inventory dropped, by the inventory, is not that
// node: it is not looked for, and nothing is said of its routes.
func TestAddressOfAnUnnamedNodeIsTaken(t *testing.T) {
	at := netip.MustParseAddr("10.90.0.29")
	s := begin(&inventory.Cluster{Name: "c", KubeNodes: []inventory.Host{{Name: "n12", Role: inventory.RoleNode, Address: at}}}, Options{})
	s.Away = map[string]error{}
	n, err := s.toRemove(t.Context(), "n9", []cluster.Member{{Name: "n9", Address: at}}, nil, nil)
	if err != nil || n.Reached || n.Address.IsValid() {
		t.Errorf("%+v, %v", n, err)
	}
	if why := s.Away["n9"]; why == nil || !strings.Contains(why.Error(), "at 10.90.0.29, where the cluster knows it, is n12 now") {
		t.Errorf("%v", why)
	}
}
