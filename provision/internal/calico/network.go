package calico

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/droverctl/drover/inventory"
)

// Network is what the inventory says about addresses and routes.
type Network struct {
	ASNumber    uint32 // of the cluster
	PodCIDR     netip.Prefix
	ServiceCIDR netip.Prefix
	BlockSize   int // prefix length of a node's share of PodCIDR
	MaxBlocks   int // such shares that one node may have; 0 is Calico's own limit
	// KeepPodAddress leaves the source address of what pods send out of the
	// cluster. By default a node puts its own in its place (natOutgoing),
	// because hosts out there know a way back to nodes, and to pods only where a
	// BIG-IP announces one. Answers to connections made to a pod are never
	// changed, so clients behind a BIG-IP see the address they called.
	KeepPodAddress bool
	// RouteReflectors are the names of the nodes every node has its sessions
	// with; empty is a full mesh. Their Nodes need [RouteReflectorAnnotation].
	RouteReflectors []string
	Peers           []Peer
}

// Peer is one BIG-IP, as the nodes see it.
type Peer struct {
	Name     string
	Address  netip.Addr
	ASNumber uint32 // the cluster's own: iBGP
	// Accept is what nodes may learn from it; a prefix stands for itself and all
	// within it. What belongs to pods and services is never taken.
	Accept   []netip.Prefix
	Password inventory.Secret
}

// NetworkOf reads the inventory.
func NetworkOf(c *inventory.Cluster) Network {
	n := Network{
		ASNumber:    c.Calico.ASNumber,
		PodCIDR:     c.PodCIDR,
		ServiceCIDR: c.ServiceCIDR,
		BlockSize:   c.Calico.BlockSize,
		MaxBlocks:   c.Calico.MaxBlocksPerHost,
	}
	if c.Calico.Topology == inventory.TopologyRouteReflectors {
		n.RouteReflectors = c.Calico.RouteReflectors
	}
	for _, b := range c.BigIPs {
		n.Peers = append(n.Peers, Peer{
			Name: b.Name, Address: b.PeerAddress, ASNumber: b.ASNumber, Accept: b.Accept, Password: b.Password,
		})
	}
	return n
}

// check reports what cannot be carried into Calico. The inventory's own checks
// come first; these are the ones that only this package can know.
func (n Network) check() error {
	var errs []error
	if !n.PodCIDR.IsValid() || !n.PodCIDR.Addr().Is4() || n.PodCIDR != n.PodCIDR.Masked() {
		errs = append(errs, fmt.Errorf("pod CIDR %s is not an IPv4 network", n.PodCIDR))
	}
	if !n.ServiceCIDR.IsValid() || !n.ServiceCIDR.Addr().Is4() || n.ServiceCIDR != n.ServiceCIDR.Masked() {
		errs = append(errs, fmt.Errorf("service CIDR %s is not an IPv4 network", n.ServiceCIDR))
	}
	if n.BlockSize < max(20, n.PodCIDR.Bits()) || n.BlockSize > 32 {
		errs = append(errs, fmt.Errorf("block size %d is not one of Calico's (20 to 32, and within %s)", n.BlockSize, n.PodCIDR))
	}
	seen := map[string]bool{}
	for _, p := range n.Peers {
		if seen[p.Name] || p.Name == "" {
			errs = append(errs, fmt.Errorf("BIG-IP %q: the name is empty or taken", p.Name))
		}
		seen[p.Name] = true
		if err := CheckPassword(p.Password); err != nil {
			errs = append(errs, fmt.Errorf("BIG-IP %q: %w", p.Name, err))
		}
	}
	return errors.Join(errs...)
}

// CheckPassword refuses passwords that one of the two ends could not hold: the
// kernel's TCP MD5 keys end at 80 bytes, BIRD's configuration takes them in
// quotes without a way to escape one, ZebOS takes a single word. The error does
// not tell the password.
func CheckPassword(s inventory.Secret) error {
	if !s.IsSet() {
		return nil
	}
	password := s.Reveal()
	if password == "" || len(password) > 80 {
		return errors.New("the BGP password must have 1 to 80 characters")
	}
	for _, c := range []byte(password) {
		if c <= ' ' || c > '~' || c == '"' {
			return errors.New("the BGP password may have letters, digits and punctuation, but no space and no double quote")
		}
	}
	return nil
}
