package allocatable

import (
	"maps"
	"strconv"
)

// Kubelet is the part of a KubeletConfiguration that makes a Node's figures true.
type Kubelet struct {
	SystemReserved map[string]string `json:"systemReserved,omitempty"`
	KubeReserved   map[string]string `json:"kubeReserved,omitempty"`
	EvictionHard   map[string]string `json:"evictionHard"`
}

// Kubelet keeps back for Kubernetes what the model reserves, less what is kept back
// for the system already; that may be nil. The two together are never less than the
// model's. Thresholds are given whole, for one alone would take the others away.
func (n Node) Kubelet(system Amounts) Kubelet {
	return Kubelet{
		SystemReserved: quantities(system),
		KubeReserved:   quantities(Amounts{max(0, n.Reserved.CPU-system.CPU), max(0, n.Reserved.Memory-system.Memory)}),
		EvictionHard:   n.eviction(),
	}
}

// eviction are the kubelet's own thresholds, but for memory's.
func (n Node) eviction() map[string]string {
	hard := map[string]string{
		"nodefs.available":   "10%",
		"nodefs.inodesFree":  "5%",
		"imagefs.available":  "15%",
		"imagefs.inodesFree": "5%",
	}
	maps.Copy(hard, map[string]string{"memory.available": bytes(n.Eviction)})
	return hard
}

func quantities(a Amounts) map[string]string {
	q := map[string]string{}
	if a.CPU > 0 {
		q["cpu"] = strconv.FormatInt(a.CPU, 10) + "m"
	}
	if a.Memory > 0 {
		q["memory"] = bytes(a.Memory)
	}
	return q
}

// bytes is a quantity of Kubernetes, exact, in the largest unit that is whole.
func bytes(n int64) string {
	units := []string{"", "Ki", "Mi", "Gi"}
	i := 0
	for n != 0 && n%1024 == 0 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	return strconv.FormatInt(n, 10) + units[i]
}
