package allocatable

import "fmt"

// Model names a way to tell how much of a machine is reserved.
type Model string

// The models. GDC is for machines of one's own, and the default.
const (
	GDC      Model = "gdc"
	GKE      Model = "gke" // the most careful: "conservative"
	EKS      Model = "eks"
	AKS      Model = "aks"
	Explicit Model = "explicit" // what is given, and nothing else
)

// Models are all of them, the default first.
func Models() []Model { return []Model{GDC, GKE, EKS, AKS, Explicit} }

// Valid reports whether there is such a model; the empty one is the default.
func (m Model) Valid() bool {
	_, err := m.reserve(Machine{})
	return err == nil
}

// Source says whose figures a model's are, and what they are.
func (m Model) Source() string {
	switch m {
	case GDC, "":
		return "Google Distributed Cloud on VMware: 80m + 1 % of CPU, 330 MiB + 5 % of memory"
	case GKE:
		return "GKE: 6 % of the 1st core, 1 % of the 2nd, 0.5 % of the 3rd and 4th, 0.25 % of the rest; " +
			"25 % of the first 4 GiB of memory, 20 % to 8 GiB, 10 % to 16 GiB, 6 % to 128 GiB, 2 % of the rest (255 MiB below 1 GiB)"
	case EKS:
		return "EKS (nodeadm): CPU as GKE; 255 MiB + 11 MiB × max_pods of memory"
	case AKS:
		return "AKS from Kubernetes 1.29: 60m, 100m, 140m, 180m, 260m, 420m, 740m of CPU at 1, 2, 4, 8, 16, 32, 64 cores; " +
			"the lesser of 20 MiB × max_pods + 50 MiB and 25 % of memory"
	}
	return "the inventory"
}

// Machine is what the figures follow from.
type Machine struct {
	Cores   int
	Memory  int64 // bytes
	MaxPods int
	// Eviction is the memory below which the kubelet evicts pods; 0 is DefaultEviction.
	Eviction int64
	// Reserved is what Explicit keeps back.
	Reserved Amounts
}

// DefaultEviction is the kubelet's own threshold.
const DefaultEviction = 100 * mib

// Amounts are of CPU and memory.
type Amounts struct {
	CPU    int64 `json:"cpu_milli"`
	Memory int64 `json:"memory_bytes"`
}

// Node is what a machine comes to.
type Node struct {
	Model       Model
	Reserved    Amounts // for the system and Kubernetes together
	Eviction    int64   // bytes kept free besides
	Allocatable Amounts
	Pods        int
}

// Of is what a machine comes to by a model. A machine that is smaller than what is
// to be reserved has nothing allocatable.
func (m Model) Of(machine Machine) (Node, error) {
	reserved, err := m.reserve(machine)
	if err != nil {
		return Node{}, err
	}
	n := Node{Model: m, Reserved: reserved, Eviction: machine.Eviction, Pods: machine.MaxPods}
	if n.Model == "" {
		n.Model = GDC
	}
	if n.Eviction == 0 {
		n.Eviction = DefaultEviction
	}
	n.Allocatable = Amounts{
		CPU:    max(0, int64(machine.Cores)*1000-reserved.CPU),
		Memory: max(0, machine.Memory-reserved.Memory-n.Eviction),
	}
	return n, nil
}

func (m Model) reserve(machine Machine) (Amounts, error) {
	cores, memory, pods := int64(machine.Cores), machine.Memory, int64(machine.MaxPods)
	switch m {
	case GDC, "":
		return Amounts{80 + cores*10, 330*mib + memory*5/100}, nil
	case GKE:
		return Amounts{googleCPU(cores), googleMemory(memory)}, nil
	case EKS:
		return Amounts{googleCPU(cores), (255 + 11*pods) * mib}, nil
	case AKS:
		return Amounts{azureCPU(cores), min((20*pods+50)*mib, memory/4)}, nil
	case Explicit:
		return machine.Reserved, nil
	}
	return Amounts{}, fmt.Errorf("there is no reservation model %q: there are %v", string(m), Models())
}
