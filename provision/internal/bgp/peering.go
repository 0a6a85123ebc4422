package bgp

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
)

// Peering is the cluster as one BIG-IP is to see it.
type Peering struct {
	Cluster     string
	BigIP       string
	RouterID    netip.Addr // the address the nodes have as their peer
	LocalAS     uint32     // the BIG-IP's
	ClusterAS   uint32     // equal to LocalAS: iBGP
	PodCIDR     netip.Prefix
	ServiceCIDR netip.Prefix
	BlockSize   int
	Password    inventory.Secret
	// Reveal prints the password; otherwise a comment stands in its place, which
	// is safe to paste: it sets nothing.
	Reveal bool
	// Neighbors are the hosts of the inventory and the members of the cluster
	// that it does not name: whoever is alive keeps its session.
	Neighbors []Neighbor
	// Keep takes no neighbor out: the cluster could not be asked who its members
	// are, and one that the inventory lacks may be alive.
	Keep bool
}

// Neighbor is a host of the cluster.
type Neighbor struct {
	Name     string
	Address  netip.Addr
	Services bool           // it announces service addresses: a kube_node, not a kube_master
	Blocks   []netip.Prefix // its share of PodCIDR, as far as known
	// Kept is a member that the inventory does not name. It has its session and its
	// routes, but nothing waits for them: it may be about to go.
	Kept bool
	// Away is a host that could not be reached: its side cannot be waited for either.
	Away bool
}

// New is the peering of a BIG-IP with the hosts of the inventory. Blocks and
// members missing there are the caller's to add.
func New(c *inventory.Cluster, b inventory.BigIP) Peering {
	p := Peering{
		Cluster: c.Name, BigIP: b.Name, RouterID: b.PeerAddress,
		LocalAS: b.ASNumber, ClusterAS: c.Calico.ASNumber,
		PodCIDR: c.PodCIDR, ServiceCIDR: c.ServiceCIDR, BlockSize: c.Calico.BlockSize,
		Password: b.Password,
	}
	for _, h := range c.KubeMasters {
		p.Neighbors = append(p.Neighbors, Neighbor{Name: h.Name, Address: h.Address})
	}
	for _, h := range c.KubeNodes {
		p.Neighbors = append(p.Neighbors, Neighbor{Name: h.Name, Address: h.Address, Services: true})
	}
	return p
}

// What drover sets on every BIG-IP. The hold time bounds how long the route to
// a dead node lingers; Calico's own is 240 seconds, and the lower one counts.
// Graceful restart hides a restart of calico-node for as long as BIRD says.
const (
	keepalive   = 3
	hold        = 10
	restartTime = 120
	maxPaths    = 8 // nodes that share the service addresses; a BIG-IP can have 64
)

// Group is the name of the peer-group. ZebOS takes a word of digits for
// something else, so such a cluster's has a prefix.
func (p Peering) Group() string {
	if strings.Trim(p.Cluster, "0123456789.") == "" {
		return "cluster-" + p.Cluster
	}
	return p.Cluster
}

// MaxPrefix caps what one session may bring: twice all blocks of the cluster,
// so that no change of the fleet changes it, and room for single service
// addresses (externalTrafficPolicy: Local), since going over it ends the session.
func (p Peering) MaxPrefix() int {
	return max(2<<max(0, p.BlockSize-p.PodCIDR.Bits()), 1000)
}

// sorted are the neighbors by address, each address once.
func (p Peering) sorted() []Neighbor {
	out := slices.Clone(p.Neighbors)
	slices.SortStableFunc(out, func(a, b Neighbor) int { return a.Address.Compare(b.Address) })
	return slices.CompactFunc(out, func(a, b Neighbor) bool { return a.Address == b.Address })
}

// named are those of them that the inventory names.
func (p Peering) named() []Neighbor {
	return slices.DeleteFunc(p.sorted(), func(n Neighbor) bool { return n.Kept })
}

// awaited are those of them that have to have their sessions and routes.
func (p Peering) awaited() []Neighbor {
	return slices.DeleteFunc(p.sorted(), func(n Neighbor) bool { return n.Kept || n.Away })
}
