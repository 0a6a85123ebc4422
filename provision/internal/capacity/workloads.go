package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/droverctl/drover/inventory"
)

func replicas(c *inventory.Cluster) (n int) {
	for _, w := range c.Capacity.Workloads {
		n += w.Replicas
	}
	return n
}

// pods is how many pods need an address: what is declared, and CoreDNS.
func pods(c *inventory.Cluster) int64 { return int64(replicas(c) + c.CoreDNS.Replicas) }

// workloadAddresses: the pod network must hold every declared pod at once.
func workloadAddresses(c *inventory.Cluster) []Check {
	if len(c.Capacity.Workloads) == 0 {
		return nil
	}
	need, have := pods(c), int64(1)<<(32-c.PodCIDR.Bits())
	return []Check{Check{
		ID: "workload-addresses", At: capacityAt(c), weight: float64(need - have),
		Measured:  fmt.Sprintf("%d pods need an address", need),
		Threshold: fmt.Sprintf("%d addresses in %s, warning above %d", have, c.PodCIDR, fourFifths(have)),
	}.judged(grade(need, fourFifths(have), have), "use a larger pod_cidr before the cluster is made, or declare fewer replicas")}
}

// workloadPods: the nodes that are left when the largest failure domains are
// lost must take every declared pod.
func workloadPods(c *inventory.Cluster) []Check {
	if len(c.Capacity.Workloads) == 0 {
		return nil
	}
	room := map[string]int64{} // of a failure domain, in pods
	for _, h := range c.Hosts() {
		if closed(h) {
			continue
		}
		room[domainOf(h)] += int64(h.Kubelet.MaxPods) - 1 // calico-node takes one everywhere
	}
	names := slices.SortedFunc(maps.Keys(room), func(a, b string) int {
		return cmp.Or(cmp.Compare(room[b], room[a]), cmp.Compare(a, b))
	})
	lost := names[:min(c.Capacity.Tolerate, len(names))]
	var left int64
	for _, name := range names[len(lost):] {
		left += room[name]
	}
	need := pods(c)
	without := ""
	if len(lost) > 0 {
		without = " without " + list(lost, "failure domain")
	}
	return []Check{Check{
		ID: "workload-pods", At: capacityAt(c), weight: float64(need - left),
		Measured:  fmt.Sprintf("%d pods to place", need),
		Threshold: fmt.Sprintf("%d places%s, warning above %d", left, without, fourFifths(left)),
	}.judged(grade(need, fourFifths(left), left), "add nodes in other failure domains, or declare fewer replicas")}
}

// closed says whether ordinary pods are kept off a host.
func closed(h inventory.Host) bool {
	return slices.ContainsFunc(h.Taints, func(t inventory.Taint) bool { return t.Effect != "PreferNoSchedule" })
}
