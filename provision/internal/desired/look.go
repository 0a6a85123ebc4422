package desired

import (
	"context"
	"net/netip"

	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/resource"
)

// Blocks are the address blocks each host has, by its name.
func Blocks(ctx context.Context, access *cluster.Access) (map[string][]netip.Prefix, error) {
	return blocksOf(ctx, access)
}

// Hosts is what is asked of the hosts themselves. It needs neither the lock file
// nor Calico's manifest, so it can tell what to take away when those are gone.
func Hosts(in Inputs) ([]resource.Resource, error) {
	b := newBuilder(in)
	for _, h := range b.hosts(in.Cluster.Hosts()) {
		if err := b.host(h); err != nil {
			return nil, err
		}
	}
	return b.out, nil
}
