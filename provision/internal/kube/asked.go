package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Amount is CPU, in thousandths of a core, and memory, in bytes.
type Amount struct{ CPU, Memory int64 }

func amountOf(r corev1.ResourceList) Amount { return Amount{r.Cpu().MilliValue(), r.Memory().Value()} }

func (a Amount) plus(b Amount) Amount { return Amount{a.CPU + b.CPU, a.Memory + b.Memory} }

// Asked is what all pods ask for that would be made again elsewhere, wherever they run
// or wait to.
func (l Load) Asked() (moving Amount) {
	for i := range l.Pods {
		if p := &l.Pods[i]; leaves(p) {
			moving = moving.plus(amountOf(requests(p)))
		}
	}
	return moving
}

// AskedOn is what of that is asked for on each node that runs any of it.
func (l Load) AskedOn() map[string]Amount {
	on := map[string]Amount{}
	for i := range l.Pods {
		if p := &l.Pods[i]; leaves(p) && p.Spec.NodeName != "" {
			on[p.Spec.NodeName] = on[p.Spec.NodeName].plus(amountOf(requests(p)))
		}
	}
	return on
}

// NodeRoom is what a node has, and what of it pods may ask for.
type NodeRoom struct {
	Capacity, Allocatable Amount
	Huge                  int64 // bytes of memory that are huge pages, which no pod's memory is of
	Silent                bool  // its kubelet is not heard of, so that no pod can be there
}

// Rooms are those of each node whose kubelet has told.
func (l Load) Rooms() map[string]NodeRoom {
	out := map[string]NodeRoom{}
	for i := range l.Nodes {
		n := &l.Nodes[i]
		a := amountOf(n.Status.Allocatable)
		if a.CPU <= 0 || a.Memory <= 0 {
			continue
		}
		r := NodeRoom{Capacity: amountOf(n.Status.Capacity), Allocatable: a, Silent: !speaks(n)}
		for name, q := range n.Status.Capacity {
			if strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) {
				r.Huge += q.Value()
			}
		}
		out[n.Name] = r
	}
	return out
}
