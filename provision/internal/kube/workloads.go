package kube

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/droverctl/drover/provision/internal/placement"
)

// Placed is what runs, as placement counts it.
type Placed struct {
	Workloads []placement.Workload
	// Fixed is what pods take of a node, by name, that would be made again nowhere:
	// static ones, and those that are going.
	Fixed map[string]placement.Resources
	// Loose are workloads with rules that placement does not know: which nodes they may
	// be on is told by more than labels, or by other pods.
	Loose []string
}

// Placed are the pods by who makes them.
func (l Load) Placed() Placed {
	out := Placed{Fixed: map[string]placement.Resources{}}
	index := map[string]int{}
	for i := range l.Pods {
		p := &l.Pods[i]
		by, asks := metav1.GetControllerOf(p), resources(p)
		daemon := by != nil && by.Kind == "DaemonSet"
		if !daemon && !leaves(p) || p.DeletionTimestamp != nil {
			if at := p.Spec.NodeName; at != "" {
				f := out.Fixed[at]
				out.Fixed[at] = placement.Resources{CPU: f.CPU + asks.CPU, Memory: f.Memory + asks.Memory, Pods: f.Pods + 1}
			}
			continue
		}
		name, kind := podName(p), ""
		if by != nil {
			name, kind = p.Namespace+"/"+by.Name, by.Kind
		}
		key := fmt.Sprint(kind, name, asks)
		at, known := index[key]
		if !known {
			at = len(out.Workloads)
			index[key] = at
			w, loose := workloadOf(p, name, asks, daemon)
			out.Workloads = append(out.Workloads, w)
			if loose {
				out.Loose = append(out.Loose, name)
			}
		}
		w := &out.Workloads[at]
		if daemon {
			continue
		}
		w.Replicas++
		if p.Spec.NodeName != "" {
			w.Running[p.Spec.NodeName]++
		}
	}
	return out
}

func resources(p *corev1.Pod) placement.Resources {
	a := amountOf(requests(p))
	return placement.Resources{CPU: a.CPU, Memory: a.Memory}
}

// workloadOf is a workload as one of its pods has it, and whether there is more to where
// it may be.
func workloadOf(p *corev1.Pod, name string, asks placement.Resources, daemon bool) (w placement.Workload, loose bool) {
	w = placement.Workload{Name: name, Requests: asks, NodeSelector: p.Spec.NodeSelector, DaemonSet: daemon, Running: map[string]int{}}
	for _, t := range p.Spec.Tolerations {
		w.Tolerations = append(w.Tolerations, placement.Toleration{
			Key: t.Key, Value: t.Value, Exists: t.Operator == corev1.TolerationOpExists, Effect: placement.Effect(t.Effect),
		})
	}
	for _, c := range p.Spec.TopologySpreadConstraints {
		s := placement.Spread{Over: c.TopologyKey, MaxSkew: int(c.MaxSkew), Hard: c.WhenUnsatisfiable == corev1.DoNotSchedule}
		if c.MinDomains != nil {
			s.MinDomains = int(*c.MinDomains)
		}
		s.HonorTaints = c.NodeTaintsPolicy != nil && *c.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor
		w.Spread = append(w.Spread, s)
	}
	if a := p.Spec.Affinity; a != nil && !daemon { // a DaemonSet's pods are made for one node each by such a rule
		loose = a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil ||
			a.PodAffinity != nil && len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 ||
			a.PodAntiAffinity != nil && len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0
	}
	return w, loose
}

// NodeRules are what placement is to know of a node.
type NodeRules struct {
	Labels   map[string]string
	Taints   []placement.Taint
	Cordoned bool
}

// Rules are those of all nodes, by name.
func (l Load) Rules() map[string]NodeRules {
	out := map[string]NodeRules{}
	for i := range l.Nodes {
		n := &l.Nodes[i]
		s := NodeRules{Labels: n.Labels, Cordoned: n.Spec.Unschedulable}
		for _, t := range n.Spec.Taints {
			// What Kubernetes puts there for a node's state passes, or is the cordon.
			if !strings.HasPrefix(t.Key, stateTaint) {
				s.Taints = append(s.Taints, placement.Taint{Key: t.Key, Value: t.Value, Effect: placement.Effect(t.Effect)})
			}
		}
		out[n.Name] = s
	}
	return out
}

// stateTaint begins the keys of taints that tell a node's state.
const stateTaint = "node.kubernetes.io/"
