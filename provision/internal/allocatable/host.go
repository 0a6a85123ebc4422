package allocatable

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/droverctl/drover/inventory"
)

// coarse is what a machine's memory is rounded up to before a share of it is reserved:
// what the kernel keeps for itself differs a little from one boot to the next, and no
// kubelet is to be restarted for that.
const coarse = 256 * mib

// OnHost is what a host's kubelet is to keep back by the inventory's model; false when
// that has none. What the inventory says of the kubelet itself is laid over it.
func OnHost(c *inventory.Cluster, h inventory.Host, cores int, memory int64) (Kubelet, bool) {
	if !c.Capacity.Reserves() {
		return Kubelet{}, false
	}
	system, _ := h.Kubelet.Config["systemReserved"].(map[string]any)
	n, err := Model(c.Capacity.Reservation).Of(Machine{
		Cores: cores, Memory: (memory + coarse - 1) / coarse * coarse, MaxPods: h.Kubelet.MaxPods,
	})
	if err != nil { // the inventory was told to be wrong
		return Kubelet{}, false
	}
	n.Reserved.Memory = (n.Reserved.Memory + mib - 1) / mib * mib // as people write it
	k := n.Kubelet(Amounts{Quantity(system["cpu"]).MilliValue(), Quantity(system["memory"]).Value()})
	k.SystemReserved = nil // it is the inventory's, as it is written
	return k, true
}

// Kept is what of a machine a host's kubelet keeps back for the system and Kubernetes,
// by its configuration and, where that does not say, by the inventory's model.
func Kept(c *inventory.Cluster, h inventory.Host, cores int, memory int64) Amounts {
	k, _ := OnHost(c, h, cores, memory)
	var sum Amounts
	for key, ours := range map[string]map[string]string{"kubeReserved": k.KubeReserved, "systemReserved": nil} {
		config, written := h.Kubelet.Config[key].(map[string]any)
		if _, given := h.Kubelet.Config[key]; given && !written { // null takes it away
			continue
		}
		of := func(name string) *resource.Quantity {
			if v, ok := config[name]; ok {
				return Quantity(v)
			}
			if v, ok := ours[name]; ok {
				return Quantity(v)
			}
			return &resource.Quantity{}
		}
		sum.CPU, sum.Memory = sum.CPU+of("cpu").MilliValue(), sum.Memory+of("memory").Value()
	}
	return sum
}

// Quantity is an amount as a kubelet's configuration has it; none when there is none.
func Quantity(v any) *resource.Quantity {
	if v == nil {
		return &resource.Quantity{}
	}
	q, err := resource.ParseQuantity(strings.TrimSpace(fmt.Sprint(v)))
	if err != nil { // the kubelet will say so
		return &resource.Quantity{}
	}
	return &q
}
