package kube

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	amount "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What has to be somewhere is told apart from what is on every node, wherever it runs
// or waits to.
func TestAsked(t *testing.T) {
	daemon := func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{by("DaemonSet", "ds")} }
	shadow := func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }
	alone := func(p *corev1.Pod) { p.OwnerReferences = nil }
	l := Load{Pods: []corev1.Pod{
		runs("n1", "a", "500m", "1Gi"), runs("n2", "b", "1", "1Gi", alone), runs("", "waits", "250m", "1Gi"),
		runs("n1", "d1", "250m", "64Mi", daemon), runs("n1", "d2", "100m", "0", daemon), runs("n2", "d1", "250m", "128Mi", daemon),
		runs("n1", "static", "50m", "0", shadow), runs("", "d-waits", "9", "9Gi", daemon),
	}}
	moving := l.Asked()
	if want := (Amount{1750, 3 << 30}); moving != want {
		t.Errorf("moving: %+v, not %+v", moving, want)
	}
	if got, want := l.AskedOn(), map[string]Amount{"n1": {500, 1 << 30}, "n2": {1000, 1 << 30}}; !maps.Equal(got, want) {
		t.Errorf("on nodes: %+v, not %+v", got, want)
	}
}

func TestRooms(t *testing.T) {
	n := worker("n1", "3500m", "7Gi")
	n.Status.Capacity = corev1.ResourceList{
		corev1.ResourceCPU: amount.MustParse("4"), corev1.ResourceMemory: amount.MustParse("8Gi"),
		"hugepages-2Mi": amount.MustParse("512Mi"), "hugepages-1Gi": amount.MustParse("1Gi"),
	}
	untold, silent, unready := worker("n2", "0", "0"), worker("n3", "1", "1Gi"), worker("n4", "1", "1Gi")
	silent.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
	unready.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
	got := Load{Nodes: []corev1.Node{n, untold, silent, unready}}.Rooms()
	one := Amount{1000, 1 << 30}
	if want := map[string]NodeRoom{
		"n1": {Amount{4000, 8 << 30}, Amount{3500, 7 << 30}, 3 << 29, false},
		"n3": {Allocatable: one, Silent: true}, "n4": {Allocatable: one},
	}; !maps.Equal(got, want) {
		t.Errorf("%+v, not %+v", got, want)
	}
}
