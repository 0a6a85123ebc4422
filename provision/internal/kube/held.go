package kube

// HeldOn is what all that runs on each node asks for, whoever made it.
func (l Load) HeldOn() map[string]Amount {
	on := map[string]Amount{}
	for i := range l.Pods {
		if p := &l.Pods[i]; p.Spec.NodeName != "" {
			on[p.Spec.NodeName] = on[p.Spec.NodeName].plus(amountOf(requests(p)))
		}
	}
	return on
}

// MaxPods is how many pods each node takes whose kubelet has told.
func (l Load) MaxPods() map[string]int {
	out := map[string]int{}
	for i := range l.Nodes {
		if n := l.Nodes[i].Status.Allocatable.Pods().Value(); n > 0 {
			out[l.Nodes[i].Name] = int(n)
		}
	}
	return out
}
