package desired

import (
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/cluster"
)

// Kept are the members that the inventory does not name. They stay on every list
// that is made of hosts: a fragment that is missing must not cut anybody off.
type Kept struct {
	Members []cluster.Member
	// Unknown says that the cluster could not be asked, so there may be others.
	Unknown bool
}

// Nobody reports whether the inventory names everybody there is.
func (k Kept) Nobody() bool { return len(k.Members) == 0 && !k.Unknown }

// Backends are the API servers that hosts may use.
func (k Kept) Backends(c *inventory.Cluster) []manifests.Backend {
	var out []manifests.Backend
	for _, m := range c.KubeMasters {
		out = append(out, manifests.Backend{Name: m.Name, Address: m.Address})
	}
	for _, m := range k.Members {
		if m.Master && elsewhere(c, m) {
			out = append(out, manifests.Backend{Name: m.Name, Address: m.Address})
		}
	}
	return out
}

// Peering is the cluster as a BIG-IP is to see it.
func (k Kept) Peering(c *inventory.Cluster, f5 inventory.BigIP) bgp.Peering {
	p := bgp.New(c, f5)
	p.Keep = k.Unknown
	for _, m := range k.Members {
		if elsewhere(c, m) {
			p.Neighbors = append(p.Neighbors, bgp.Neighbor{Name: m.Name, Address: m.Address, Services: !m.Master, Kept: true})
		}
	}
	return p
}

// elsewhere reports whether a member has an address that no host of the inventory
// has: a Node that was left behind under an older name is no machine of its own.
func elsewhere(c *inventory.Cluster, m cluster.Member) bool {
	return m.Address.IsValid() && !slices.ContainsFunc(c.Hosts(), func(h inventory.Host) bool { return h.Address == m.Address })
}
