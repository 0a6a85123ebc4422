package capacity

import (
	"fmt"

	"github.com/droverctl/drover/inventory"
)

// nodeSwap: what is swapped out of a pod that asked for memory is not what it asked for.
func nodeSwap(in Inputs) []Check {
	return in.perHost("node-swap", in.Cluster.Hosts(), func(h inventory.Host, f HostFacts) (verdict, bool) {
		measured := "no swap"
		if f.Swap > 0 {
			measured = size(f.Swap) + " of swap"
		}
		return verdict{
			status: grade(f.Swap, 0, f.Swap), measured: measured, threshold: "none",
			fix: "`swapoff -a`, and take it out of /etc/fstab", near: float64(-f.Swap), at: h.Kubelet.Where.At("config").Ptr(),
		}, f.Surveyed
	})
}

// nodeMTU: without encapsulation pods have their host's MTU, and a packet that is too
// large for another's is lost where ICMP is.
func nodeMTU(in Inputs) []Check {
	counts, usual := map[int]int{}, 0
	for _, h := range in.Cluster.Hosts() {
		if m := in.Hosts[h.Name].MTU; m > 0 {
			counts[m]++
			if usual == 0 || counts[m] > counts[usual] || counts[m] == counts[usual] && m > usual {
				usual = m
			}
		}
	}
	return in.perHost("node-mtu", in.Cluster.Hosts(), func(_ inventory.Host, f HostFacts) (verdict, bool) {
		v := verdict{status: Pass, measured: fmt.Sprintf("MTU %d", f.MTU), threshold: fmt.Sprintf("MTU %d, as most hosts have", usual)}
		if f.MTU != usual {
			v.status, v.fix = Warn, fmt.Sprintf("set the MTU of the interface that has the host's address to %d, on the switch as well", usual)
		}
		return v, f.MTU > 0
	})
}

// What kube-proxy sets unless it is told otherwise.
const (
	conntrackPerCore = 32_768
	conntrackLeast   = 131_072
)

// nodeConntrack: kube-proxy sets the limit itself, unless it was told to leave it.
func nodeConntrack(in Inputs) []Check {
	return in.perHost("node-conntrack", in.Cluster.Hosts(), func(_ inventory.Host, f HostFacts) (verdict, bool) {
		want := max(conntrackLeast, conntrackPerCore*int64(f.CPUs))
		settings, _ := in.Cluster.KubeProxy.Config["conntrack"].(map[string]any)
		if perCore, set := settings["maxPerCore"]; !set || perCore != int64(0) {
			return verdict{}, false
		}
		return verdict{
			status:   least(f.Conntrack, want, 0),
			measured: fmt.Sprintf("%d entries", f.Conntrack), threshold: fmt.Sprintf("%d", want),
			fix:  fmt.Sprintf("set net.netfilter.nf_conntrack_max = %d, or let kube-proxy set it: leave out conntrack.maxPerCore = 0", want),
			near: float64(f.Conntrack - want), at: in.Cluster.KubeProxy.Where.At("config").Ptr(),
		}, f.Conntrack > 0 && f.CPUs > 0
	})
}
