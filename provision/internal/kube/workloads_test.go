package kube

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/droverctl/drover/provision/internal/placement"
)

// Pods are counted by who makes them, where they are, with what keeps them from where
// they may not be; what is made again nowhere is what a node is short of.
func TestPlaced(t *testing.T) {
	daemon := func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{by("DaemonSet", "ds")} }
	shadow := func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }
	going := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	of := func(name string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{by("ReplicaSet", name)} }
	}
	ruled := func(p *corev1.Pod) {
		p.Spec.NodeSelector = map[string]string{"tier": "web"}
		p.Spec.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
		honor := corev1.NodeInclusionPolicyHonor
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: "zone", MaxSkew: 2, WhenUnsatisfiable: corev1.DoNotSchedule, NodeTaintsPolicy: &honor}}
	}
	bound := func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}
	}
	l := Load{Pods: []corev1.Pod{
		runs("n1", "a-1", "500m", "1Gi", of("a"), ruled), runs("n2", "a-2", "500m", "1Gi", of("a"), ruled), runs("", "a-3", "500m", "1Gi", of("a"), ruled),
		runs("n1", "a-4", "250m", "1Gi", of("a")), runs("n1", "b-1", "1", "0", of("b"), bound),
		runs("n1", "d1", "250m", "64Mi", daemon), runs("n2", "d2", "250m", "64Mi", daemon, bound),
		runs("n1", "static", "50m", "0", shadow), runs("n1", "gone", "1", "1Gi", of("a"), going),
	}}
	got := l.Placed()
	ns := l.Pods[0].Namespace
	ask := func(cpu, memory int64) placement.Resources { return placement.Resources{CPU: cpu, Memory: memory} }
	want := Placed{
		Workloads: []placement.Workload{
			{
				Name: ns + "/a", Replicas: 3, Requests: ask(500, 1<<30), Running: map[string]int{"n1": 1, "n2": 1}, NodeSelector: map[string]string{"tier": "web"},
				Tolerations: []placement.Toleration{{Key: "gpu", Exists: true}}, Spread: []placement.Spread{{Over: "zone", MaxSkew: 2, Hard: true, HonorTaints: true}},
			},
			{Name: ns + "/a", Replicas: 1, Requests: ask(250, 1<<30), Running: map[string]int{"n1": 1}},
			{Name: ns + "/b", Replicas: 1, Requests: ask(1000, 0), Running: map[string]int{"n1": 1}},
			{Name: ns + "/ds", Requests: ask(250, 64<<20), DaemonSet: true, Running: map[string]int{}},
		},
		Fixed: map[string]placement.Resources{"n1": {CPU: 1050, Memory: 1 << 30, Pods: 2}},
		Loose: []string{ns + "/b"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestRules(t *testing.T) {
	n := worker("n1", "1", "1Gi")
	n.Labels, n.Spec.Unschedulable = map[string]string{"tier": "web"}, true
	n.Spec.Taints = []corev1.Taint{{Key: "node.kubernetes.io/unschedulable", Effect: corev1.TaintEffectNoSchedule}, {Key: "gpu", Value: "a", Effect: corev1.TaintEffectNoExecute}}
	want := map[string]NodeRules{"n1": {
		Labels: map[string]string{"tier": "web"}, Cordoned: true, Taints: []placement.Taint{{Key: "gpu", Value: "a", Effect: placement.NoExecute}},
	}}
	if d := cmp.Diff(want, Load{Nodes: []corev1.Node{n}}.Rules()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
