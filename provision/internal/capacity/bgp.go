package capacity

import (
	"fmt"
	"slices"

	"github.com/droverctl/drover/inventory"
)

// A full mesh grows with the square of its size.
const (
	meshWarn = 80
	meshFail = 100
)

// meshSize: in a mesh every host has a session with every other.
func meshSize(c *inventory.Cluster) []Check {
	if c.Calico.Topology != inventory.TopologyMesh {
		return nil
	}
	n := len(c.Hosts())
	warn, fail := limits(c, "mesh-size", meshWarn, meshFail)
	return []Check{Check{
		ID: "mesh-size", At: c.Calico.Where.At("topology").Ptr(), weight: float64(n),
		Measured:  fmt.Sprintf("%s, %d sessions", count(n, "host"), n*(n-1)/2),
		Threshold: fmt.Sprintf("%s hosts, warning from %s", figure(fail), figure(warn)),
	}.judged(grade(float64(n), warn-1, fail), `plan for topology = "route_reflectors"; drover never switches by itself`)}
}

// routeReflectors: hosts that speak with reflectors only are cut off with them.
// down are failure domains that are lost.
func routeReflectors(c *inventory.Cluster, down []string) []Check {
	if c.Calico.Topology != inventory.TopologyRouteReflectors {
		return nil
	}
	domains, left := map[string]bool{}, 0
	for _, h := range c.Hosts() {
		if !slices.Contains(c.Calico.RouteReflectors, h.Name) {
			continue
		}
		if !slices.Contains(down, domainOf(h)) {
			left++
		}
		domain := h.FailureDomain
		if domain == "" { // it may be any: alone, until the inventory says
			domain = "host " + h.Name
		}
		domains[domain] = true
	}
	status := Pass
	if len(domains) < 2 {
		status = Warn
	}
	check := Check{
		ID: "route-reflectors", At: c.Calico.Where.At("route_reflectors").Ptr(),
		Measured:  fmt.Sprintf("%s in %s", count(len(c.Calico.RouteReflectors), "route reflector"), count(len(domains), "failure domain")),
		Threshold: "2 in 2 failure domains",
	}
	if len(down) > 0 && left == 0 {
		check.Measured += ", and none is left"
		return []Check{check.judged(Fail, "name route reflectors in other failure domains as well")}
	}
	return []Check{check.judged(status, "name route reflectors in two failure domains")}
}

// bigipSessions: a BIG-IP has one session with every host.
func bigipSessions(c *inventory.Cluster) []Check {
	var checks []Check
	n := int64(len(c.Hosts()))
	for _, f5 := range c.BigIPs {
		if f5.MaxPeers == 0 {
			continue
		}
		limit := int64(f5.MaxPeers)
		checks = append(checks, Check{
			ID: "bigip-sessions", Subject: f5.Name, weight: float64(n - limit), At: f5.Where.At("max_peers").Ptr(),
			Measured:  count(int(n), "BGP session"),
			Threshold: fmt.Sprintf("%d, warning above %d", limit, fourFifths(limit)),
		}.judged(grade(n, fourFifths(limit), limit), "raise max_peers if the unit can hold more, or make several clusters"))
	}
	return checks
}

// bigipRoutes: a BIG-IP learns every block, and the network of services.
func bigipRoutes(c *inventory.Cluster) []Check {
	var checks []Check
	n := allBlocks(c) + 1
	for _, f5 := range c.BigIPs {
		if f5.MaxRoutes == 0 {
			continue
		}
		limit := int64(f5.MaxRoutes)
		checks = append(checks, Check{
			ID: "bigip-routes", Subject: f5.Name, weight: float64(n - limit), At: f5.Where.At("max_routes").Ptr(),
			Measured:  count(int(n), "route"),
			Threshold: fmt.Sprintf("%d, warning above %d", limit, fourFifths(limit)),
		}.judged(grade(n, fourFifths(limit), limit), "raise max_routes if the unit can hold more, or use larger blocks (a smaller block_size number) before the cluster is made"))
	}
	return checks
}
