package kube

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod makes a pod with a status, owned by what is given.
func pod(t *testing.T, c *Client, ns, name string, status corev1.PodStatus, owners ...metav1.OwnerReference) *corev1.Pod {
	t.Helper()
	pods := c.typed.CoreV1().Pods(ns)
	p, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Status = status
	p, err = pods.UpdateStatus(t.Context(), p, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	isReady = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	noImage = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{Name: "c",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}}}}
)

func TestPodsReady(t *testing.T) {
	c := admin(t)
	namespace(t, c, "pods")
	wantNotReady(t, c.PodsReady(t.Context(), "pods"), "namespace pods has no pod")
	pod(t, c, "pods", "done", corev1.PodStatus{Phase: corev1.PodSucceeded})
	wantNotReady(t, c.PodsReady(t.Context(), "pods"), "namespace pods has no pod")
	pod(t, c, "pods", "well", isReady)
	wantNotReady(t, c.PodsReady(t.Context(), "pods"))
	p := pod(t, c, "pods", "bad", noImage)
	wantNotReady(t, c.PodsReady(t.Context(), "pods"), "pod pods/bad is not Ready: container c ImagePullBackOff: no such image")

	for i, uid := range []string{string(p.UID), "another"} {
		e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "bad." + string(rune('a'+i))}, Type: "Warning", Reason: "Failed", Message: "pull of " + uid,
			LastTimestamp:  metav1.NewTime(time.Now()),
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "pods", Name: "bad", UID: p.UID}}
		if i == 1 {
			e.InvolvedObject.UID = "another" // of a pod of the name, before this one
		}
		if _, err := c.typed.CoreV1().Events("pods").Create(t.Context(), e, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	evidence, err := c.Evidence(t.Context(), "pods", "bad")
	want := []string{"it is not Ready: container c ImagePullBackOff: no such image", "Warning Failed: pull of " + string(p.UID)}
	if err != nil || !slices.Equal(evidence, want) {
		t.Errorf("%q, %v", evidence, err)
	}
}

func TestPodTroubleInWords(t *testing.T) {
	started := false
	container := func(s corev1.ContainerStatus) corev1.PodStatus {
		s.Name = "c"
		return corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{s}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	for want, s := range map[string]corev1.PodStatus{
		"":                            {Phase: corev1.PodSucceeded},
		"is not Ready: not started":   {},
		"is not Ready: pending":       {Phase: corev1.PodPending},
		"is not Ready: out of memory": {Phase: corev1.PodFailed, Message: "out of memory"},
		"has no node: 0/2 nodes are available": {Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/2 nodes are available"}}},
		"is not Ready: container c CrashLoopBackOff, last ended with exit code 2: bad flag": container(corev1.ContainerStatus{
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 5m0s"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Message: "bad flag\n"}}}),
		"is not Ready: container c runs, and its readiness probe fails":        container(corev1.ContainerStatus{State: running}),
		"is not Ready: container c runs, and its startup probe has not passed": container(corev1.ContainerStatus{State: running, Started: &started}),
		"is not Ready: container c ended with exit code 1: Error":              container(corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}}}),
	} {
		if got := podTrouble(&corev1.Pod{Status: s}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	yes := true
	evicted := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}}
	if podTrouble(evicted) == "" {
		t.Error("a pod alone that failed is in no trouble")
	}
	evicted.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Controller: &yes}}
	if got := podTrouble(evicted); got != "" {
		t.Errorf("a pod that was replaced %s", got)
	}
}

func TestWorkloads(t *testing.T) {
	c := admin(t)
	yes := true
	by := func(api, kind, name string) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: api, Kind: kind, Name: name, UID: "00000000-0000-0000-0000-000000000001", Controller: &yes}
	}
	namespace(t, c, "users")
	namespace(t, c, "system")
	text := strings.ReplaceAll(deployment, "%NS%", "system")
	ours := object(t, text) // without our label: what we applied is ours all the same
	if err := c.Apply(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	theirs := object(t, strings.ReplaceAll(deployment, "%NS%", "users"))
	Own(theirs) // our label, in somebody else's hands
	if _, err := c.dynamic.Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace("users").
		Create(t.Context(), theirs, metav1.CreateOptions{FieldManager: "somebody"}); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"users", "system"} {
		_, err := c.typed.AppsV1().ReplicaSets(ns).Create(t.Context(), &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Name: "dns-1", OwnerReferences: []metav1.OwnerReference{by("apps/v1", "Deployment", "dns")}},
			Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}},
					Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pod(t, c, ns, "dns-1-a", isReady, by("apps/v1", "ReplicaSet", "dns-1"))
		pod(t, c, ns, "dns-1-b", noImage, by("apps/v1", "ReplicaSet", "dns-1"))
		pod(t, c, ns, "agent", isReady, by("apps/v1", "DaemonSet", "agent"))
		pod(t, c, ns, "ended", corev1.PodStatus{Phase: corev1.PodFailed}, by("apps/v1", "ReplicaSet", "dns-1"))
	}
	pod(t, c, "users", "alone", isReady)
	pod(t, c, "users", "orphan", isReady, by("apps/v1", "ReplicaSet", "gone"))
	pod(t, c, "users", "odd", isReady, by("no.such/v1", "Thing", "thing"))
	proof := object(t, "{apiVersion: v1, kind: Pod, metadata: {name: proof, namespace: users}, spec: {containers: [{name: c, image: i}]}}")
	Own(proof)
	if err := c.Apply(t.Context(), proof); err != nil {
		t.Fatal(err)
	}

	all, err := c.Workloads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range all {
		if w.Namespace == "users" || w.Namespace == "system" {
			got = append(got, w.String())
		}
	}
	want := []string{"Deployment users/dns (2 pods)", "Pod users/alone (1 pods)", "ReplicaSet users/gone (1 pods)", "Thing users/thing (1 pods)"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if here, err := c.Workloads(t.Context(), "no-such-node"); err != nil || len(here) > 0 {
		t.Errorf("on a node without pods: %v, %v", here, err)
	}
}
