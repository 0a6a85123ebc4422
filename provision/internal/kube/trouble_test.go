package kube

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A rollout that does not end names the pod that is stuck, and its pods in trouble can
// be looked up.
func TestTroubled(t *testing.T) {
	c := admin(t)
	namespace(t, c, "trouble")
	obj := object(t, strings.ReplaceAll(deployment, "%NS%", "trouble"))
	if err := c.Apply(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	deployments := c.typed.AppsV1().Deployments("trouble")
	d, err := deployments.Get(t.Context(), "dns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 1, AvailableReplicas: 1}
	if _, err := deployments.UpdateStatus(t.Context(), d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	const rollout = "Deployment trouble/dns has 1 of 2 pods available"
	wantNotReady(t, c.RolledOut(t.Context(), nil, KeyOf(obj)), rollout)

	label := func(p *corev1.Pod) {
		t.Helper()
		p.Labels = map[string]string{"app": "dns"}
		if _, err := c.typed.CoreV1().Pods("trouble").Update(t.Context(), p, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	label(pod(t, c, "trouble", "well", isReady))
	pod(t, c, "trouble", "others", noImage)
	making := noImage.DeepCopy()
	making.ContainerStatuses[0].State.Waiting.Reason = "ContainerCreating"
	label(pod(t, c, "trouble", "making", *making))
	wantNotReady(t, c.RolledOut(t.Context(), nil, KeyOf(obj)), rollout)
	label(pod(t, c, "trouble", "stuck", noImage))
	wantNotReady(t, c.RolledOut(t.Context(), nil, KeyOf(obj)), rollout+": pod trouble/stuck is not Ready: container c ImagePullBackOff: no such image")

	got, err := c.Troubled(t.Context(), "", KeyOf(obj))
	want := []PodTrouble{
		{"trouble", "making", "", "is not Ready: container c ContainerCreating: no such image", false},
		{"trouble", "stuck", "", "is not Ready: container c ImagePullBackOff: no such image", true},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, d)
	}
	if got, err := c.Troubled(t.Context(), "elsewhere", KeyOf(obj)); len(got) > 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	gone := KeyOf(obj)
	gone.Name = "gone"
	if _, err := c.Troubled(t.Context(), "", gone); err == nil || !strings.Contains(err.Error(), "look at Deployment trouble/gone") {
		t.Errorf("%v", err)
	}
}

// The log is that of the container that is the reason, as it last ran. There is no
// node to ask for it, and what is not on one has said nothing.
func TestLastWords(t *testing.T) {
	c := admin(t)
	namespace(t, c, "words")
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	crashed := corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "c",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}, LastTerminationState: ended}}}
	pod(t, c, "words", "pulling", noImage)
	pod(t, c, "words", "crashed", crashed)
	lost := pod(t, c, "words", "lost", crashed)
	err := c.typed.CoreV1().Pods("words").Bind(t.Context(), &corev1.Binding{ObjectMeta: lost.ObjectMeta, Target: corev1.ObjectReference{Kind: "Node", Name: "gone"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const crash = "it is not Ready: container c CrashLoopBackOff, last ended with exit code 1"
	for name, want := range map[string][]string{
		"pulling": {"it is not Ready: container c ImagePullBackOff: no such image"},
		"crashed": {crash, "the end of the log of container c:", "  (empty)"},
		"lost":    {crash, `the log of container c could not be read: the server could not find the requested resource (get pods lost)`},
	} {
		got, err := c.Evidence(t.Context(), "words", name)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, d)
		}
	}
}
