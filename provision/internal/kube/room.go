package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	amount "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Load is what runs, and where it could run.
type Load struct {
	Nodes   []corev1.Node
	Pods    []corev1.Pod // that have not ended
	Budgets []policyv1.PodDisruptionBudget
}

// Load is all of it, as it is now.
func (c *Client) Load(ctx context.Context) (l Load, err error) {
	if l.Nodes, err = c.allNodes(ctx); err != nil {
		return l, fmt.Errorf("list nodes: %w", err)
	}
	if l.Pods, err = c.pods(ctx, metav1.NamespaceAll); err != nil {
		return l, err
	}
	l.Pods = slices.DeleteFunc(l.Pods, func(p corev1.Pod) bool { return over(&p) })
	budgets, err := c.typed.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return l, fmt.Errorf("list disruption budgets: %w", err)
	}
	l.Budgets = budgets.Items
	return l, nil
}

// Speaks reports whether a node is there and its kubelet is heard of, whatever it says.
func (l Load) Speaks(name string) bool {
	return slices.ContainsFunc(l.Nodes, func(n corev1.Node) bool { return n.Name == name && speaks(&n) })
}

// Serves reports whether another node than these is left that takes pods and
// announces services.
func (l Load) Serves(gone ...string) bool {
	return slices.ContainsFunc(l.Nodes, func(n corev1.Node) bool {
		return !slices.Contains(gone, n.Name) && nodeTrouble(&n) == "" && !n.Spec.Unschedulable && n.Labels[corev1.LabelNodeExcludeBalancers] == ""
	})
}

// moving are the pods that would be made again elsewhere without these nodes.
func (l Load) moving(gone []string) []corev1.Pod {
	var out []corev1.Pod
	for i := range l.Pods {
		p := &l.Pods[i]
		if slices.Contains(gone, p.Spec.NodeName) && leaves(p) && p.DeletionTimestamp == nil {
			out = append(out, *p)
		}
	}
	return out
}

// WithoutRoom names the pods that would find no place without these nodes, as far as
// requests, node labels and taints tell: the largest are placed first, each on the
// first node that has room. Affinities between pods are the scheduler's business.
func (l Load) WithoutRoom(gone ...string) []string {
	var places []*place
	for i := range l.Nodes {
		n := &l.Nodes[i]
		if !slices.Contains(gone, n.Name) && !n.Spec.Unschedulable && nodeTrouble(n) == "" {
			places = append(places, newPlace(n, l.Pods))
		}
	}
	pods := slices.DeleteFunc(l.moving(gone), func(p corev1.Pod) bool { return metav1.GetControllerOf(&p) == nil })
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int {
		x, y := requests(&a), requests(&b)
		return cmp.Or(y.Memory().Cmp(*x.Memory()), y.Cpu().Cmp(*x.Cpu()), cmp.Compare(podName(&a), podName(&b)))
	})
	var out []string
	for i := range pods {
		p := &pods[i]
		found, able := false, 0
		for _, at := range places {
			if !at.admits(p) {
				continue
			}
			able++
			if found = at.take(requests(p)); found {
				break
			}
		}
		switch {
		case found:
		case able == 0:
			out = append(out, fmt.Sprintf("%s (no node that is left may run it: labels, taints, cordons)", podName(p)))
		default:
			r := requests(p)
			out = append(out, fmt.Sprintf("%s (asks for %s CPU and %s memory)", podName(p), r.Cpu(), r.Memory()))
		}
	}
	return out
}

// place is a node with what is free there.
type place struct {
	node *corev1.Node
	free corev1.ResourceList
}

func newPlace(n *corev1.Node, pods []corev1.Pod) *place {
	at := &place{n, n.Status.Allocatable.DeepCopy()}
	for i := range pods {
		if pods[i].Spec.NodeName == n.Name {
			at.use(requests(&pods[i]))
		}
	}
	return at
}

func (p *place) use(r corev1.ResourceList) {
	for name, quantity := range r {
		left := p.free[name]
		left.Sub(quantity)
		p.free[name] = left
	}
}

// take uses what is free, if it is enough.
func (p *place) take(r corev1.ResourceList) bool {
	for name, quantity := range r {
		left := p.free[name]
		if !quantity.IsZero() && left.Cmp(quantity) < 0 {
			return false
		}
	}
	p.use(r)
	return true
}

// admits reports whether a node may run a pod at all.
func (p *place) admits(pod *corev1.Pod) bool {
	if !labels.SelectorFromSet(pod.Spec.NodeSelector).Matches(labels.Set(p.node.Labels)) || !affine(pod, p.node) {
		return false
	}
	return !slices.ContainsFunc(p.node.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && !tolerates(pod, t)
	})
}

func tolerates(pod *corev1.Pod, t corev1.Taint) bool {
	return slices.ContainsFunc(pod.Spec.Tolerations, func(o corev1.Toleration) bool {
		if o.Effect != "" && o.Effect != t.Effect || o.Key != "" && o.Key != t.Key {
			return false
		}
		return o.Operator == corev1.TolerationOpExists || o.Key != "" && o.Value == t.Value
	})
}

// affine reports whether a node is one of those that a pod has to be on.
func affine(pod *corev1.Pod, n *corev1.Node) bool {
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return slices.ContainsFunc(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		if len(t.MatchExpressions)+len(t.MatchFields) == 0 {
			return false
		}
		misses := func(values map[string]string) func(corev1.NodeSelectorRequirement) bool {
			return func(r corev1.NodeSelectorRequirement) bool { return !meets(values, r) }
		}
		return !slices.ContainsFunc(t.MatchExpressions, misses(n.Labels)) &&
			!slices.ContainsFunc(t.MatchFields, misses(map[string]string{"metadata.name": n.Name}))
	})
}

func meets(values map[string]string, r corev1.NodeSelectorRequirement) bool {
	value, there := values[r.Key]
	switch r.Operator {
	case corev1.NodeSelectorOpIn:
		return there && slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !there || !slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpExists:
		return there
	case corev1.NodeSelectorOpDoesNotExist:
		return !there
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		have, err1 := strconv.ParseInt(value, 10, 64)
		if len(r.Values) != 1 || err1 != nil {
			return false
		}
		limit, err2 := strconv.ParseInt(r.Values[0], 10, 64)
		return err2 == nil && (r.Operator == corev1.NodeSelectorOpGt && have > limit || r.Operator == corev1.NodeSelectorOpLt && have < limit)
	}
	return false
}

// requests is what a pod takes of a node: the sum of what runs together, or what its
// start takes when that is more.
func requests(p *corev1.Pod) corev1.ResourceList {
	sum, start := corev1.ResourceList{}, corev1.ResourceList{}
	add := func(to, more corev1.ResourceList) {
		for name, q := range more {
			have := to[name]
			have.Add(q)
			to[name] = have
		}
	}
	atLeast := func(to, least corev1.ResourceList) {
		for name, q := range least {
			if have := to[name]; have.Cmp(q) < 0 {
				to[name] = q.DeepCopy()
			}
		}
	}
	beside := corev1.ResourceList{} // init containers that stay
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(beside, c.Resources.Requests)
			atLeast(start, beside)
			continue
		}
		step := beside.DeepCopy()
		if step == nil {
			step = corev1.ResourceList{}
		}
		add(step, c.Resources.Requests)
		atLeast(start, step)
	}
	for _, c := range p.Spec.Containers {
		add(sum, c.Resources.Requests)
	}
	add(sum, beside)
	atLeast(sum, start)
	if p.Spec.Resources != nil { // said of the pod as a whole
		for name, q := range p.Spec.Resources.Requests {
			sum[name] = q.DeepCopy()
		}
	}
	add(sum, p.Spec.Overhead)
	sum[corev1.ResourcePods] = *amount.NewQuantity(1, amount.DecimalSI)
	return sum
}

// Blocked are the disruption budgets that would let no pod leave these nodes however
// long one waits: none may be missing even when all are well. Those that only wait for
// pods to come up are not among them.
func (l Load) Blocked(gone ...string) []string {
	moving := l.moving(gone)
	covers := map[string][]string{} // pod to budgets
	var out []string
	for _, b := range l.Budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			continue
		}
		var held []string
		for i := range moving {
			if p := &moving[i]; p.Namespace == b.Namespace && selector.Matches(labels.Set(p.Labels)) {
				if heeds(b, p) {
					held = append(held, podName(p))
				}
				covers[podName(p)] = append(covers[podName(p)], b.Name)
			}
		}
		s := b.Status
		if len(held) > 0 && s.DisruptionsAllowed == 0 && s.ExpectedPods > 0 && s.DesiredHealthy >= s.ExpectedPods {
			out = append(out, fmt.Sprintf("PodDisruptionBudget %s/%s allows none of its %d pods to be missing (%s), and these would have to leave: %s",
				b.Namespace, b.Name, s.ExpectedPods, budgetRule(b), some(held)))
		}
	}
	for i := range moving {
		name := podName(&moving[i])
		if by := covers[name]; len(by) > 1 {
			out = append(out, fmt.Sprintf("pod %s has %d PodDisruptionBudgets (%s), and the API evicts no such pod", name, len(by), some(by)))
		}
	}
	return out
}

// heeds reports whether a budget is asked before a pod goes that it covers: not of one that
// has not come up, nor, where the budget says so, of one that is ill.
func heeds(b policyv1.PodDisruptionBudget, p *corev1.Pod) bool {
	if p.Status.Phase == corev1.PodPending {
		return false
	}
	by := b.Spec.UnhealthyPodEvictionPolicy
	return by == nil || *by != policyv1.AlwaysAllow || podReady(p)
}

func budgetRule(b policyv1.PodDisruptionBudget) string {
	switch {
	case b.Spec.MinAvailable != nil:
		return "minAvailable " + b.Spec.MinAvailable.String()
	case b.Spec.MaxUnavailable != nil:
		return "maxUnavailable " + b.Spec.MaxUnavailable.String()
	}
	return "it says neither minAvailable nor maxUnavailable"
}
