package kube

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	amount "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func asks(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: amount.MustParse(cpu), corev1.ResourceMemory: amount.MustParse(memory)}
}

func worker(name, cpu, memory string, change ...func(*corev1.Node)) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}}
	n.Status.Allocatable = asks(cpu, memory)
	n.Status.Allocatable[corev1.ResourcePods] = amount.MustParse("3")
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, f := range change {
		f(&n)
	}
	return n
}

func runs(node, name, cpu, memory string, change ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, OwnerReferences: []metav1.OwnerReference{by("ReplicaSet", "rs")}}}
	p.Spec.NodeName = node
	p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: asks(cpu, memory)}}}
	for _, f := range change {
		f(&p)
	}
	return p
}

func TestWithoutRoom(t *testing.T) {
	tainted := func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "k", Value: "v", Effect: corev1.TaintEffectNoSchedule}}
	}
	tolerant := func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: "k", Operator: corev1.TolerationOpExists}}
	}
	down := func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	onlyOn := func(key, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}}}},
			}}}
		}
	}
	nowhere := func(name string) []string {
		return []string{"ns/" + name + " (no node that is left may run it: labels, taints, cordons)"}
	}
	for name, c := range map[string]struct {
		nodes []corev1.Node
		pods  []corev1.Pod
		want  []string
	}{
		"fits":            {[]corev1.Node{worker("a", "1", "1Gi"), worker("b", "1", "1Gi")}, []corev1.Pod{runs("a", "p", "1", "1Gi")}, nil},
		"what is taken":   {[]corev1.Node{worker("a", "1", "1Gi"), worker("b", "1", "1Gi")}, []corev1.Pod{runs("a", "p", "500m", "1Mi"), runs("b", "q", "600m", "1Mi")}, []string{"ns/p (asks for 500m CPU and 1Mi memory)"}},
		"each for itself": {[]corev1.Node{worker("a", "2", "2Gi"), worker("b", "1", "1Gi")}, []corev1.Pod{runs("a", "p", "600m", "1Mi"), runs("a", "q", "600m", "1Mi")}, []string{"ns/q (asks for 600m CPU and 1Mi memory)"}},
		"as many pods":    {[]corev1.Node{worker("a", "2", "2Gi"), worker("b", "1", "1Gi")}, []corev1.Pod{runs("a", "p", "0", "0"), runs("a", "q", "0", "0"), runs("b", "r", "0", "0"), runs("b", "s", "0", "0")}, []string{"ns/q (asks for 0 CPU and 0 memory)"}},
		"taint":           {[]corev1.Node{worker("a", "1", "1Gi"), worker("b", "1", "1Gi", tainted)}, []corev1.Pod{runs("a", "p", "0", "0")}, nowhere("p")},
		"toleration":      {[]corev1.Node{worker("a", "1", "1Gi"), worker("b", "1", "1Gi", tainted)}, []corev1.Pod{runs("a", "p", "0", "0", tolerant)}, nil},
		"down":            {[]corev1.Node{worker("a", "1", "1Gi"), worker("b", "1", "1Gi", down)}, []corev1.Pod{runs("a", "p", "0", "0")}, nowhere("p")},
		"cordoned":        {[]corev1.Node{worker("a", "1", "1Gi"), worker("b", "1", "1Gi", cordoned)}, []corev1.Pod{runs("a", "p", "0", "0")}, nowhere("p")},
		"selector":        {[]corev1.Node{worker("a", "1", "1Gi"), worker("b", "1", "1Gi")}, []corev1.Pod{runs("a", "p", "0", "0", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"name": "c"} })}, nowhere("p")},
		"affinity":        {[]corev1.Node{worker("a", "1", "1Gi"), worker("b", "1", "1Gi")}, []corev1.Pod{runs("a", "p", "0", "0", onlyOn("name", "c")), runs("a", "q", "0", "0", onlyOn("name", "b"))}, nowhere("p")},
		"who is not made again": {[]corev1.Node{worker("a", "1", "1Gi")}, []corev1.Pod{
			runs("a", "alone", "9", "0", func(p *corev1.Pod) { p.OwnerReferences = nil }),
			runs("a", "agent", "9", "0", func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{by("DaemonSet", "agent")} }),
		}, nil},
	} {
		if got := (Load{Nodes: c.nodes, Pods: c.pods}).WithoutRoom("a"); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestRequests(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	container := func(cpu string) corev1.Container {
		return corev1.Container{Resources: corev1.ResourceRequirements{Requests: asks(cpu, "0")}}
	}
	sidecar := container("200m")
	sidecar.RestartPolicy = &always
	for want, spec := range map[string]corev1.PodSpec{
		"300m":  {Containers: []corev1.Container{container("100m"), container("200m")}},
		"500m":  {InitContainers: []corev1.Container{container("500m")}, Containers: []corev1.Container{container("100m")}},
		"310m":  {InitContainers: []corev1.Container{sidecar}, Containers: []corev1.Container{container("110m")}},
		"700m":  {InitContainers: []corev1.Container{sidecar, container("500m")}, Containers: []corev1.Container{container("100m")}},
		"150m":  {Containers: []corev1.Container{container("100m")}, Overhead: asks("50m", "0")},
		"1500m": {Containers: []corev1.Container{container("100m")}, Resources: &corev1.ResourceRequirements{Requests: asks("1500m", "0")}},
	} {
		r := requests(&corev1.Pod{Spec: spec})
		if got := r.Cpu(); got.Cmp(amount.MustParse(want)) != 0 {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

// A budget that only waits for pods to come up blocks nothing for good.
func TestBlockedForGood(t *testing.T) {
	labelled := func(p *corev1.Pod) { p.Labels = map[string]string{"app": "x"} }
	budget := func(name string, s policyv1.PodDisruptionBudgetStatus) policyv1.PodDisruptionBudget {
		return policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Status: s,
			Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "x"}}},
		}
	}
	l := Load{Pods: []corev1.Pod{runs("a", "p", "0", "0", labelled), runs("b", "q", "0", "0", labelled)}}
	for what, c := range map[string]struct {
		status  policyv1.PodDisruptionBudgetStatus
		blocked bool
	}{
		"all well, none to spare": {policyv1.PodDisruptionBudgetStatus{ExpectedPods: 2, CurrentHealthy: 2, DesiredHealthy: 2}, true},
		"one on its way":          {policyv1.PodDisruptionBudgetStatus{ExpectedPods: 2, CurrentHealthy: 1, DesiredHealthy: 1}, false},
		"one to spare":            {policyv1.PodDisruptionBudgetStatus{ExpectedPods: 2, CurrentHealthy: 2, DesiredHealthy: 1, DisruptionsAllowed: 1}, false},
		"one ill, none to spare even when it is well": {policyv1.PodDisruptionBudgetStatus{ExpectedPods: 2, CurrentHealthy: 1, DesiredHealthy: 2}, true},
	} {
		l.Budgets = []policyv1.PodDisruptionBudget{budget("b", c.status)}
		if got := l.Blocked("a"); (len(got) > 0) != c.blocked {
			t.Errorf("%s: %q", what, got)
		}
	}
	// Of pods that have not come up, or are ill where that is no matter, no budget is asked.
	strict := budget("b", policyv1.PodDisruptionBudgetStatus{ExpectedPods: 2, CurrentHealthy: 1, DesiredHealthy: 2})
	always := policyv1.AlwaysAllow
	ill := strict
	ill.Spec.UnhealthyPodEvictionPolicy = &always
	for what, c := range map[string]struct {
		budget  policyv1.PodDisruptionBudget
		status  corev1.PodStatus
		blocked bool
	}{
		"not up":                      {strict, corev1.PodStatus{Phase: corev1.PodPending}, false},
		"ill":                         {strict, corev1.PodStatus{Phase: corev1.PodRunning}, true},
		"ill, which is no matter":     {ill, corev1.PodStatus{Phase: corev1.PodRunning}, false},
		"well, where illness is none": {ill, corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}, true},
	} {
		one := Load{Budgets: []policyv1.PodDisruptionBudget{c.budget}, Pods: []corev1.Pod{runs("a", "p", "0", "0", labelled, func(p *corev1.Pod) { p.Status = c.status })}}
		if got := one.Blocked("a"); (len(got) > 0) != c.blocked {
			t.Errorf("%s: %q", what, got)
		}
	}
	fine := policyv1.PodDisruptionBudgetStatus{ExpectedPods: 2, CurrentHealthy: 2, DesiredHealthy: 1, DisruptionsAllowed: 1}
	l.Budgets = []policyv1.PodDisruptionBudget{budget("b1", fine), budget("b2", fine)}
	if got, want := l.Blocked("a"), []string{"pod ns/p has 2 PodDisruptionBudgets (b1, b2), and the API evicts no such pod"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
