package capacity

import (
	"slices"

	"github.com/droverctl/drover/inventory"
)

// Tier0 is every check that the inventory alone can answer, in a fixed order.
func Tier0(c *inventory.Cluster) []Check {
	return slices.Concat(
		masterCount(c),
		quorumDomain(c),
		failureDomains(c),
		serviceCIDR(c),
		podBlocks(c),
		podsPerHost(c),
		clusterSize(c),
		meshSize(c),
		routeReflectors(c),
		bigipSessions(c),
		bigipRoutes(c),
		workloadAddresses(c),
		workloadPods(c),
	)
}
