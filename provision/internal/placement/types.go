package placement

import (
	"maps"
	"slices"
)

// The labels of a node that Kubernetes itself gives a meaning to.
const (
	LabelHost   = "kubernetes.io/hostname"
	LabelDomain = "topology.kubernetes.io/zone"
)

// Resources are amounts of what the scheduler counts.
type Resources struct {
	CPU    int64 `json:"cpu_milli"`
	Memory int64 `json:"memory_bytes"`
	Pods   int64 `json:"pods"`
}

func (r Resources) plus(o Resources) Resources {
	return Resources{r.CPU + o.CPU, r.Memory + o.Memory, r.Pods + o.Pods}
}

// Effect is what a taint does to a pod that does not tolerate it.
type Effect string

// The scheduler treats NoExecute as it treats NoSchedule.
const (
	NoSchedule       Effect = "NoSchedule"
	PreferNoSchedule Effect = "PreferNoSchedule"
	NoExecute        Effect = "NoExecute"
)

// Taint keeps pods that do not tolerate it off a node.
type Taint struct {
	Key, Value string
	Effect     Effect
}

// Toleration lets a pod on a node with such a taint. An empty Key with Exists is
// every key, an empty Effect is every effect.
type Toleration struct {
	Key, Value string
	Exists     bool // whatever the value
	Effect     Effect
}

func (o Toleration) tolerates(t Taint) bool {
	switch {
	case o.Effect != "" && o.Effect != t.Effect, o.Key != "" && o.Key != t.Key:
		return false
	case o.Exists:
		return true
	}
	return o.Key != "" && o.Value == t.Value
}

// Node is a machine that pods may be put on. Its name and its failure domain are
// labels of it too, unless Labels say otherwise.
type Node struct {
	Name        string
	Domain      string // failure domain; empty is one of its own, "host NAME"
	Labels      map[string]string
	Taints      []Taint
	Allocatable Resources
	Cordoned    bool
	NotReady    bool
}

// label is a label's value, and whether the node has it.
func (n *Node) label(key string) (string, bool) {
	if value, ok := n.Labels[key]; ok {
		return value, true
	}
	switch {
	case key == LabelHost:
		return n.Name, true
	case key == LabelDomain && n.Domain != "":
		return n.Domain, true
	}
	return "", false
}

// domain is what a node fails with: with nothing but itself, if nothing is said.
func (n *Node) domain() string {
	if n.Domain == "" {
		return "host " + n.Name
	}
	return n.Domain
}

// taints are all of them, with those that Kubernetes puts on a node for its state.
func (n *Node) taints() []Taint {
	all := n.Taints
	if n.Cordoned {
		all = append(slices.Clip(all), Taint{Key: "node.kubernetes.io/unschedulable", Effect: NoSchedule})
	}
	if n.NotReady {
		all = append(slices.Clip(all),
			Taint{Key: "node.kubernetes.io/not-ready", Effect: NoSchedule}, Taint{Key: "node.kubernetes.io/not-ready", Effect: NoExecute})
	}
	return all
}

// Spread is one of a workload's rules how evenly its pods are to lie.
type Spread struct {
	Over        string // a label: LabelHost, LabelDomain or any other
	MaxSkew     int    // 0 is 1
	Hard        bool   // whenUnsatisfiable: DoNotSchedule; else ScheduleAnyway
	MinDomains  int
	HonorTaints bool // nodeTaintsPolicy: Honor; else domains that only tainted nodes are in count too
}

// Workload is pods that are all the same.
type Workload struct {
	Name     string
	Replicas int // not of a DaemonSet
	// Requests are those of one pod: of its containers together, of its init
	// containers when that is more, with its overhead. Pods is ignored: it is 1.
	Requests     Resources
	NodeSelector map[string]string
	Tolerations  []Toleration
	Spread       []Spread
	DaemonSet    bool // one on each node that it tolerates, before all others
	// Running is how many of the replicas a node has already; they stay. What runs
	// on a node that is not known counts as not placed yet.
	Running map[string]int
}

// selects reports whether a node has the labels that a workload asks for.
func (w *Workload) selects(n *Node) bool {
	for key, want := range w.NodeSelector {
		if have, ok := n.label(key); !ok || have != want {
			return false
		}
	}
	return true
}

// untolerated counts the taints with one of the effects that a workload does not tolerate.
func (w *Workload) untolerated(taints []Taint, effects ...Effect) (count int) {
	for _, t := range taints {
		tolerates := func(o Toleration) bool { return o.tolerates(t) }
		if slices.Contains(effects, t.Effect) && !slices.ContainsFunc(w.tolerations(), tolerates) {
			count++
		}
	}
	return count
}

// tolerations are a workload's own, and of a DaemonSet those that its controller adds.
func (w *Workload) tolerations() []Toleration {
	if !w.DaemonSet {
		return w.Tolerations
	}
	return append(slices.Clip(w.Tolerations),
		Toleration{Key: "node.kubernetes.io/not-ready", Exists: true, Effect: NoExecute},
		Toleration{Key: "node.kubernetes.io/unreachable", Exists: true, Effect: NoExecute},
		Toleration{Key: "node.kubernetes.io/disk-pressure", Exists: true, Effect: NoSchedule},
		Toleration{Key: "node.kubernetes.io/memory-pressure", Exists: true, Effect: NoSchedule},
		Toleration{Key: "node.kubernetes.io/pid-pressure", Exists: true, Effect: NoSchedule},
		Toleration{Key: "node.kubernetes.io/unschedulable", Exists: true, Effect: NoSchedule})
}

// sorted are a map's keys in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
