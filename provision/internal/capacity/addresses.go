package capacity

import (
	"cmp"
	"fmt"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

// serviceCIDR: the network of services must hold the cluster's own, and what a
// bitmap of it takes in etcd must stay small.
func serviceCIDR(c *inventory.Cluster) []Check {
	bits := c.ServiceCIDR.Bits()
	size := int64(1) << (32 - bits)
	check := Check{
		ID: "service-cidr", At: c.Where.At("service_cidr").Ptr(),
		Measured:  fmt.Sprintf("%s has %d addresses", c.ServiceCIDR, size),
		Threshold: "10 to 1048576 addresses (/28 to /12)",
	}
	switch {
	case size < 10:
		return []Check{check.judged(Fail, "use a service_cidr of /28 or larger; it cannot be changed later")}
	case bits < 12:
		return []Check{check.judged(Fail, "use a service_cidr of /12 or smaller")}
	}
	return []Check{check.judged(Pass, "")}
}

// blocks is how many blocks of the pod network a host may come to need.
func blocks(c *inventory.Cluster, h inventory.Host) int64 {
	size := int64(1) << (32 - c.Calico.BlockSize)
	return (int64(h.Kubelet.MaxPods) + size - 1) / size
}

func allBlocks(c *inventory.Cluster) (n int64) {
	for _, h := range c.Hosts() {
		n += blocks(c, h)
	}
	return n
}

// podBlocks: every host must find a block for each pod it may run.
func podBlocks(c *inventory.Cluster) []Check {
	need, have := allBlocks(c), int64(1)<<(c.Calico.BlockSize-c.PodCIDR.Bits())
	return []Check{Check{
		ID: "pod-blocks", At: c.Where.At("pod_cidr").Ptr(), weight: float64(need - have),
		Measured:  fmt.Sprintf("%d blocks of /%d for %s", need, c.Calico.BlockSize, count(len(c.Hosts()), "host")),
		Threshold: fmt.Sprintf("%d blocks in %s, warning above %d", have, c.PodCIDR, fourFifths(have)),
	}.judged(grade(need, fourFifths(have), have), "use a larger pod_cidr, or a smaller max_pods; neither pod_cidr nor block_size can be changed later")}
}

// maxBlocks is what Calico gives one host when nothing else is configured.
const maxBlocks = 20

// podsPerHost: of the hosts, the one with the most pods is judged.
func podsPerHost(c *inventory.Cluster) []Check {
	var most inventory.Host
	for _, h := range c.Hosts() {
		if h.Kubelet.MaxPods > most.Kubelet.MaxPods {
			most = h
		}
	}
	blocks := cmp.Or(c.Calico.MaxBlocksPerHost, maxBlocks)
	pods, addresses := int64(most.Kubelet.MaxPods), int64(blocks)<<(32-c.Calico.BlockSize)
	over := int64(0) // of all hosts: one more of the kind is worse
	for _, h := range c.Hosts() {
		over += max(0, int64(h.Kubelet.MaxPods)-addresses)
	}
	warn, _ := limits(c, "pods-per-host", 110, 0)
	at := most.Kubelet.Where.At("max_pods").Ptr()
	return []Check{
		Check{
			ID: "pod-addresses-per-host", At: at, weight: float64(over),
			Measured:  fmt.Sprintf("max_pods %d on %s", pods, most.Name),
			Threshold: fmt.Sprintf("%d addresses in %s", addresses, count(blocks, "block")),
		}.judged(grade(pods, addresses, addresses), "lower max_pods, raise max_blocks_per_host, or choose a smaller block_size number before the cluster is made"),
		Check{
			ID: "pods-per-host", At: at,
			Measured:  fmt.Sprintf("max_pods %d on %s", pods, most.Name),
			Threshold: figure(warn) + " pods",
		}.judged(grade(float64(pods), warn, float64(pods)), "prove it on your machines, or write max_pods = 110"),
	}
}

// clusterSize: beyond these numbers Kubernetes itself is not tested.
func clusterSize(c *inventory.Cluster) []Check {
	hosts, pods := int64(len(c.Hosts())), int64(replicas(c))
	return []Check{
		Check{
			ID: "cluster-hosts", At: c.Where.Block.Ptr(),
			Measured: count(int(hosts), "host"), Threshold: "5000",
		}.judged(grade(hosts, 5000, hosts), "make several clusters"),
		Check{
			ID: "cluster-pods", At: capacityAt(c),
			Measured: count(int(pods), "declared pod"), Threshold: "150000",
		}.judged(grade(pods, 150_000, pods), "make several clusters"),
	}
}

func capacityAt(c *inventory.Cluster) *diag.Range { return c.Capacity.Where.Block.Ptr() }
