package kube

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRolledOutOfARealServer(t *testing.T) {
	c := admin(t)
	namespace(t, c, "rollout")
	obj := object(t, strings.ReplaceAll(deployment, "%NS%", "rollout"))
	key := KeyOf(obj)
	wantNotReady(t, c.RolledOut(t.Context(), nil, key), "Deployment rollout/dns is absent")
	if err := c.Apply(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	wantNotReady(t, c.RolledOut(t.Context(), nil, key), "Deployment rollout/dns has not been looked at by its controller")
	deployments := c.typed.AppsV1().Deployments("rollout")
	d, err := deployments.Get(t.Context(), "dns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}
	if _, err := deployments.UpdateStatus(t.Context(), d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wantNotReady(t, c.RolledOut(t.Context(), nil, key))
}

func TestRolloutInWords(t *testing.T) {
	two := int32(2)
	for want, s := range map[string]appsv1.DeploymentStatus{
		"has not been looked at by its controller": {ObservedGeneration: 1, UpdatedReplicas: 2, AvailableReplicas: 2},
		"has 1 of 2 pods of its latest form":       {ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 1, AvailableReplicas: 2},
		"still has 1 old pods":                     {ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 2},
		"has 1 of 2 pods available":                {ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1},
		"":                                         {ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2},
	} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Spec: appsv1.DeploymentSpec{Replicas: &two}, Status: s}
		if got := deploymentTrouble(d, lost{}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for want, s := range map[string]appsv1.DaemonSetStatus{
		"has not been looked at by its controller": {ObservedGeneration: 1},
		"has 1 of 3 pods of its latest form":       {ObservedGeneration: 2, DesiredNumberScheduled: 3, UpdatedNumberScheduled: 1, NumberAvailable: 3},
		"has 2 of 3 pods available":                {ObservedGeneration: 2, DesiredNumberScheduled: 3, UpdatedNumberScheduled: 3, NumberAvailable: 2},
		"":                                         {ObservedGeneration: 2, DesiredNumberScheduled: 3, UpdatedNumberScheduled: 3, NumberAvailable: 3},
	} {
		d := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Status: s}
		if got := daemonSetTrouble(d, lost{}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Of nodes that are away nothing is waited for, and nothing counts that the API
// still believes of them.
func TestRolloutWithoutNodesThatAreAway(t *testing.T) {
	two := int32(2)
	for name, c := range map[string]struct {
		available int32
		l         lost
		want      string
	}{
		"its pod is lost, and that was noticed":     {1, lost{nodes: 1, pods: 1}, ""},
		"its pod is lost, and that was not noticed": {2, lost{nodes: 1, pods: 1, available: 1}, ""},
		"the other is in trouble":                   {1, lost{nodes: 1, pods: 1, available: 1}, "has 0 of 1 pods available"},
		"it has no pod":                             {1, lost{nodes: 1}, "has 1 of 2 pods available"},
		"the second has no place without it":        {1, lost{nodes: 1, homeless: 1}, ""},
		"none has a place without it":               {0, lost{nodes: 1, homeless: 2}, "has 0 of 2 pods available"},
	} {
		d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &two},
			Status: appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: c.available}}
		if got := deploymentTrouble(d, c.l); got != c.want {
			t.Errorf("a Deployment, %s: got %q, want %q", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		available int32
		l         lost
		want      string
	}{
		"its pod is lost, and that was noticed":     {2, lost{nodes: 1, pods: 1}, ""},
		"its pod is lost, and that was not noticed": {3, lost{nodes: 1, pods: 1, available: 1}, ""},
		"another is in trouble":                     {2, lost{nodes: 1, pods: 1, available: 1}, "has 1 of 2 pods available"},
		"it never ran, and has no pod":              {2, lost{nodes: 1}, ""},
	} {
		d := &appsv1.DaemonSet{Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 3, UpdatedNumberScheduled: 2, NumberAvailable: c.available}}
		if got := daemonSetTrouble(d, c.l); got != c.want {
			t.Errorf("a DaemonSet, %s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestLostPodsOfARealServer(t *testing.T) {
	c := admin(t)
	namespace(t, c, "lost")
	applyNode(t, c, Node{Name: "lost-1"})
	pods := c.typed.CoreV1().Pods("lost")
	pod := func(name, node, app string, ready corev1.ConditionStatus) {
		t.Helper()
		p, err := pods.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}},
			Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "c"}}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
		if node == "" {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: ready, Reason: corev1.PodReasonUnschedulable}}
		}
		if _, err := pods.UpdateStatus(t.Context(), p, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	pod("a", "lost-1", "dns", corev1.ConditionTrue)
	pod("b", "lost-1", "dns", corev1.ConditionFalse)
	pod("c", "lost-2", "dns", corev1.ConditionTrue) // of a node that is there
	pod("d", "lost-1", "other", corev1.ConditionTrue)
	pod("e", "", "dns", corev1.ConditionFalse)
	pod("f", "", "dns", corev1.ConditionUnknown) // nobody has looked for a place yet
	pod("replaced", "lost-1", "dns", corev1.ConditionTrue)
	long := int64(300)
	if err := pods.Delete(t.Context(), "replaced", metav1.DeleteOptions{GracePeriodSeconds: &long}); err != nil {
		t.Fatal(err)
	}
	of := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "dns"}}
	got, err := c.lost(t.Context(), "lost", of, []string{"lost-1", "never-was"})
	if want := (lost{nodes: 1, pods: 2, available: 1, homeless: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
