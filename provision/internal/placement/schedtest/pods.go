package schedtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/droverctl/drover/provision/internal/placement"
)

// pod is the next one of a workload.
func (r *Round) pod(w *placement.Workload) *corev1.Pod {
	r.pods++
	requests := corev1.ResourceList{}
	if w.Requests.CPU > 0 {
		requests[corev1.ResourceCPU] = *resource.NewMilliQuantity(w.Requests.CPU, resource.DecimalSI)
	}
	if w.Requests.Memory > 0 {
		requests[corev1.ResourceMemory] = *resource.NewQuantity(w.Requests.Memory, resource.BinarySI)
	}
	yes := true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%d", w.Name, r.pods), Labels: map[string]string{"app": w.Name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: w.Name, UID: r.owners[w.Name], Controller: &yes}},
		},
		Spec: corev1.PodSpec{
			NodeSelector: w.NodeSelector,
			Containers:   []corev1.Container{{Name: "main", Image: "none", Resources: corev1.ResourceRequirements{Requests: requests}}},
		},
	}
	for _, o := range w.Tolerations {
		t := corev1.Toleration{Key: o.Key, Operator: corev1.TolerationOpEqual, Value: o.Value, Effect: corev1.TaintEffect(o.Effect)}
		if o.Exists {
			t.Operator, t.Value = corev1.TolerationOpExists, ""
		}
		p.Spec.Tolerations = append(p.Spec.Tolerations, t)
	}
	if w.DaemonSet {
		p.OwnerReferences[0].Kind = "DaemonSet"
		p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
	}
	for _, s := range w.Spread {
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, constraint(w, s))
	}
	return p
}

func constraint(w *placement.Workload, s placement.Spread) corev1.TopologySpreadConstraint {
	c := corev1.TopologySpreadConstraint{
		MaxSkew: int32(max(1, s.MaxSkew)), TopologyKey: s.Over, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": w.Name}},
	}
	if s.Hard {
		c.WhenUnsatisfiable = corev1.DoNotSchedule
		if s.MinDomains > 0 {
			least := int32(s.MinDomains)
			c.MinDomains = &least
		}
	}
	if s.HonorTaints {
		honor := corev1.NodeInclusionPolicyHonor
		c.NodeTaintsPolicy = &honor
	}
	return c
}

// Submit makes pods, one of each workload named, in that order.
func (r *Round) Submit(ctx context.Context, workloads []string) error {
	for _, name := range workloads {
		if _, err := r.client.CoreV1().Pods(r.name).Create(ctx, r.pod(r.workloads[name]), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// Decided waits until the scheduler has placed each pod or said that it cannot, and
// changes nothing of that any more; it says how many of each workload have a place.
func (r *Round) Decided(ctx context.Context) (map[string]int, error) {
	// A pod that a rule how to lie keeps out is tried again when another of its
	// workload has got a place, a second later.
	const calm = 3 * time.Second
	var placed map[string]int
	bound, since := -1, time.Now()
	err := r.wait("the scheduler to decide", func() (bool, error) {
		pods, err := r.client.CoreV1().Pods(r.name).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		var open []string
		now, waiting := 0, false
		placed = map[string]int{}
		for i := range pods.Items {
			p := &pods.Items[i]
			switch {
			case p.Spec.NodeName != "":
				now++
				placed[p.Labels["app"]]++
			case !refused(p):
				open = append(open, p.Name)
			default:
				waiting = waiting || len(p.Spec.TopologySpreadConstraints) > 0
			}
		}
		if now != bound {
			bound, since = now, time.Now()
		}
		if len(open) > 0 {
			return false, fmt.Errorf("%d undecided: %s", len(open), strings.Join(open[:min(3, len(open))], ", "))
		}
		return !waiting || time.Since(since) > calm, nil
	})
	return placed, err
}

func refused(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return true
		}
	}
	return false
}

// Lose takes a node away with its pods, and submits the pods that are owed for them
// in the order that arrange brings them in.
func (r *Round) Lose(ctx context.Context, node string, arrange func([]string)) error {
	name := r.nodeName(node)
	if err := r.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	pods, err := r.client.CoreV1().Pods(r.name).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
	if err != nil {
		return err
	}
	var owed []string
	for _, p := range pods.Items {
		if err := r.client.CoreV1().Pods(r.name).Delete(ctx, p.Name, *metav1.NewDeleteOptions(0)); err != nil {
			return err
		}
		if w := r.workloads[p.Labels["app"]]; w != nil && !w.DaemonSet {
			owed = append(owed, w.Name)
		}
	}
	for i, old := range r.old {
		if old == name {
			r.old = append(r.old[:i:i], r.old[i+1:]...)
			break
		}
	}
	arrange(owed)
	return r.Submit(ctx, owed)
}
