package capacity

import (
	"fmt"

	"github.com/droverctl/drover/inventory"
)

// What kubeadm lets no control plane start with less than.
const (
	floorCPU    = 2
	floorMemory = 1700 << 20
)

// step is what masters have of a cluster of up to so many nodes. Sizes are decimal:
// of a machine's 8 GB the kernel shows less than 8 GiB.
type step struct {
	nodes  int
	cpus   int
	memory int64
}

// profile is what masters are to have, by whose table.
type profile struct {
	source string
	steps  []step // the last one counts beyond its nodes as well
}

// profiles: published tables differ several times over at the same size, so whose is
// used is always told.
func profiles() map[string]profile {
	const gb = 1e9
	return map[string]profile{
		"lean": {"RKE2's requirements, by agents", []step{
			{225, 2, 4 * gb}, {450, 4, 8 * gb}, {1300, 8, 16 * gb}, {5000, 16, 32 * gb},
		}},
		"standard": {"kube-up on GCE, sizes of masters by nodes", []step{
			{5, 2, 3.75 * gb}, {10, 2, 7.5 * gb}, {100, 4, 15 * gb}, {250, 8, 30 * gb}, {500, 16, 60 * gb}, {5000, 32, 120 * gb},
		}},
		"large": {"OpenShift 4.10, control plane by workers", []step{
			{24, 4, 16 * gb}, {120, 8, 32 * gb}, {252, 16, 64 * gb}, {5000, 16, 96 * gb},
		}},
	}
}

// masterSize is what the profile has masters have after the change, and whose figure
// that is.
func masterSize(c *inventory.Cluster) (step, string) {
	name := c.Capacity.Profile
	p, ok := profiles()[name]
	if !ok { // it was told to be wrong
		name = "standard"
		p = profiles()[name]
	}
	nodes := len(c.KubeNodes)
	last := p.steps[len(p.steps)-1]
	for _, s := range p.steps {
		if nodes <= s.nodes {
			last = s
			break
		}
	}
	return last, fmt.Sprintf("profile %s at %s: %s", name, count(nodes, "node"), p.source)
}

func masterCPU(in Inputs) []Check {
	want, whose := masterSize(in.Cluster)
	warn, fail := limits(in.Cluster, "master-cpu", float64(want.cpus), floorCPU)
	return in.perHost("master-cpu", in.Cluster.KubeMasters, func(_ inventory.Host, f HostFacts) (verdict, bool) {
		return verdict{
			status:   least(float64(f.CPUs), warn, fail),
			measured: count(f.CPUs, "core"), threshold: fmt.Sprintf("%s cores (%s), FAIL below %s", figure(warn), whose, figure(fail)),
			fix:  "give the master more cores, or choose another profile in the capacity block",
			near: float64(f.CPUs),
		}, f.CPUs > 0
	})
}

func masterMemory(in Inputs) []Check {
	want, whose := masterSize(in.Cluster)
	const mib = 1 << 20
	warn, fail := limits(in.Cluster, "master-memory", float64(want.memory)/mib, floorMemory/mib)
	return in.perHost("master-memory", in.Cluster.KubeMasters, func(_ inventory.Host, f HostFacts) (verdict, bool) {
		return verdict{
			status:   least(float64(f.Memory)/mib, warn, fail),
			measured: size(f.Memory), threshold: fmt.Sprintf("%s (%s), FAIL below %s", size(int64(warn*mib)), whose, size(int64(fail*mib))),
			fix:  "give the master more memory, or choose another profile in the capacity block",
			near: float64(f.Memory),
		}, f.Memory > 0
	})
}

// nodePods: the kubelet and the runtime work for every pod.
func nodePods(in Inputs) []Check {
	return in.perHost("node-pods", in.Cluster.Hosts(), func(h inventory.Host, f HostFacts) (verdict, bool) {
		pods, most := int64(h.Kubelet.MaxPods), min(110, 10*int64(f.CPUs))
		return verdict{
			status:   grade(pods, most, pods),
			measured: fmt.Sprintf("max_pods %d with %s", pods, count(f.CPUs, "core")), threshold: fmt.Sprintf("%d pods", most),
			fix:  fmt.Sprintf("write max_pods = %d, or give the host more cores", most),
			near: float64(most - pods), at: h.Kubelet.Where.At("max_pods").Ptr(),
		}, f.CPUs > 0
	})
}
