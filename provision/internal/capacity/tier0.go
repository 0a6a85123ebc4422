package capacity

import (
	"slices"

	"github.com/droverctl/drover/inventory"
)

// Tier0 is every check that the inventory alone can answer, in a fixed order.
func Tier0(c *inventory.Cluster) []Check { return Tier0Of(Inputs{Cluster: c}) }

// Tier0Of is Tier0 when some failure domains are lost.
func Tier0Of(in Inputs) []Check {
	c := in.Cluster
	return slices.Concat(
		masterCount(c),
		quorumDomain(c, in.Lost),
		failureDomains(c),
		serviceCIDR(c),
		podBlocks(c),
		podsPerHost(c),
		clusterSize(c),
		meshSize(c),
		routeReflectors(c, in.Lost),
		bigipSessions(c),
		bigipRoutes(c),
		workloadAddresses(c),
		workloadPods(c),
	)
}
