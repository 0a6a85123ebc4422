package kube

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// by is a controller's reference.
func by(kind, name string) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{APIVersion: "apps/v1", Kind: kind, Name: name, UID: "00000000-0000-0000-0000-000000000001", Controller: &yes}
}

// podOn makes a pod on a node.
func podOn(t *testing.T, c *Client, node, ns, name string, change func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns, Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	if change != nil {
		change(p)
	}
	made, err := c.typed.CoreV1().Pods(ns).Create(t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Status = isReady
	if made, err = c.typed.CoreV1().Pods(ns).UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return made
}

func of(kind, name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{by(kind, name)} }
}

// left are the pods of a namespace that nobody has asked to go.
func left(t *testing.T, c *Client, ns string) []string {
	t.Helper()
	pods, err := c.typed.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range pods.Items {
		if p.DeletionTimestamp == nil {
			out = append(out, p.Name)
		}
	}
	slices.Sort(out)
	return out
}

func TestDrainMovesWhatItMay(t *testing.T) {
	c := admin(t)
	namespace(t, c, "drain")
	podOn(t, c, "d1", "drain", "web", of("ReplicaSet", "web"))
	podOn(t, c, "d2", "drain", "elsewhere", of("ReplicaSet", "web"))
	podOn(t, c, "d1", "drain", "agent", of("DaemonSet", "agent"))
	podOn(t, c, "d1", "drain", "shadow", func(p *corev1.Pod) {
		p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		p.OwnerReferences = []metav1.OwnerReference{by("Node", "d1")}
		p.OwnerReferences[0].APIVersion = "v1"
	})
	podOn(t, c, "d1", "drain", "alone", nil)
	podOn(t, c, "d1", "drain", "scratch", func(p *corev1.Pod) {
		of("ReplicaSet", "scratch")(p)
		p.Spec.Volumes = []corev1.Volume{{Name: "s", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	})
	ended := podOn(t, c, "d1", "drain", "ended", nil)
	ended.Status.Phase = corev1.PodSucceeded
	if _, err := c.typed.CoreV1().Pods("drain").UpdateStatus(t.Context(), ended, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}

	all := left(t, c, "drain")
	var held *HeldBackError
	if err := c.Drain(t.Context(), "d1", Drain{}); !errors.As(err, &held) || len(held.Obstacles) != 2 {
		t.Fatalf("%v", err)
	}
	for i, want := range []Obstacle{
		{"no controller would make these pods again: drain/alone", "--force"},
		{"these pods would lose what is in their emptyDir volumes: drain/scratch", "--delete-emptydir-data"},
	} {
		if held.Obstacles[i] != want {
			t.Errorf("got %v, want %v", held.Obstacles[i], want)
		}
	}
	if now := left(t, c, "drain"); !slices.Equal(now, all) {
		t.Errorf("a drain that is refused has touched pods: %v", now)
	}

	zero := int64(0)
	if err := c.Drain(t.Context(), "d1", Drain{Force: true, DeleteEmptyDir: true, GraceSeconds: &zero}); err == nil {
		t.Error("it was done before anybody saw the pods go")
	}
	if err := c.Drain(t.Context(), "d1", Drain{Force: true, DeleteEmptyDir: true}); err != nil {
		t.Errorf("%v", err)
	}
	if now, want := left(t, c, "drain"), []string{"agent", "elsewhere", "shadow"}; !slices.Equal(now, want) {
		t.Errorf("left %v, want %v", now, want)
	}
}

func budget(t *testing.T, c *Client, ns, name, app string, status policyv1.PodDisruptionBudgetStatus) {
	t.Helper()
	one := intstr.FromInt32(1)
	budgets := c.typed.PolicyV1().PodDisruptionBudgets(ns)
	b, err := budgets.Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	status.ObservedGeneration = b.Generation
	b.Status = status
	if _, err := budgets.UpdateStatus(t.Context(), b, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestDrainHeedsBudgets(t *testing.T) {
	c := admin(t)
	namespace(t, c, "budgets")
	podOn(t, c, "d3", "budgets", "db", of("StatefulSet", "db"))
	podOn(t, c, "d3", "budgets", "web", of("ReplicaSet", "web"))
	budget(t, c, "budgets", "keep-db", "db", policyv1.PodDisruptionBudgetStatus{ExpectedPods: 1, CurrentHealthy: 1, DesiredHealthy: 1})
	zero := int64(0)
	_ = c.Drain(t.Context(), "d3", Drain{GraceSeconds: &zero})
	err := c.Drain(t.Context(), "d3", Drain{GraceSeconds: &zero})
	if err == nil || !strings.Contains(err.Error(), "pod budgets/db: ") || !strings.Contains(err.Error(), "disruption budget keep-db needs 1 healthy pods and has 1 currently") || strings.Contains(err.Error(), "web") {
		t.Errorf("%v", err)
	}
	if now := left(t, c, "budgets"); !slices.Equal(now, []string{"db"}) {
		t.Errorf("left %v", now)
	}
	load, err := c.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"PodDisruptionBudget budgets/keep-db allows none of its 1 pods to be missing (minAvailable 1), and these would have to leave: budgets/db"}
	if got := load.Blocked("d3"); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := load.Blocked("d4"); len(got) > 0 {
		t.Errorf("without the node: %q", got)
	}
	_ = c.Drain(t.Context(), "d3", Drain{DisableEviction: true, GraceSeconds: &zero})
	if err := c.Drain(t.Context(), "d3", Drain{DisableEviction: true}); err != nil {
		t.Error(err)
	}
}

func TestDrainTellsWhatHoldsAPod(t *testing.T) {
	c := admin(t)
	namespace(t, c, "held")
	podOn(t, c, "d5", "held", "kept", func(p *corev1.Pod) {
		of("ReplicaSet", "x")(p)
		p.Finalizers = []string{"example.com/keep"}
	})
	zero := int64(0)
	_ = c.Drain(t.Context(), "d5", Drain{GraceSeconds: &zero})
	time.Sleep(1100 * time.Millisecond) // the API counts in whole seconds
	err := c.Drain(t.Context(), "d5", Drain{GraceSeconds: &zero})
	if err == nil || !strings.Contains(err.Error(), "pod held/kept has ended, and is kept by its finalizers example.com/keep") {
		t.Errorf("%v", err)
	}

	at := time.Now()
	deleted := func(ago time.Duration) metav1.ObjectMeta {
		return metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: at.Add(-ago)}}
	}
	running := corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "db", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}
	claim := []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "db-0"}}}}
	for want, p := range map[string]corev1.Pod{
		"is ending, and has another 20s for that":                                               {ObjectMeta: deleted(-20 * time.Second)},
		"should have ended 1m0s ago; by the kubelet's last word these containers still run: db": {ObjectMeta: deleted(time.Minute), Status: running},
		"should be gone since 1m0s, and the kubelet does not take it away":                      {ObjectMeta: deleted(time.Minute)},
		"does not take it away; volumes that may not come off: data (claim db-0)":               {ObjectMeta: deleted(time.Minute), Spec: corev1.PodSpec{Volumes: claim}},
	} {
		if got := holds(&p, at); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Nobody is left to end pods on a dead node, so they go at once, whatever is asked of
// a living one.
func TestDrainOfADeadNode(t *testing.T) {
	c := admin(t)
	namespace(t, c, "dead")
	podOn(t, c, "d6", "dead", "alone", nil)
	podOn(t, c, "d6", "dead", "db", of("StatefulSet", "db"))
	budget(t, c, "dead", "keep", "db", policyv1.PodDisruptionBudgetStatus{ExpectedPods: 1, CurrentHealthy: 1, DesiredHealthy: 1})
	podOn(t, c, "d6", "dead", "agent", of("DaemonSet", "agent"))
	_ = c.Drain(t.Context(), "d6", Drain{Dead: true})
	if err := c.Drain(t.Context(), "d6", Drain{Dead: true}); err != nil {
		t.Error(err)
	}
	if now := left(t, c, "dead"); !slices.Equal(now, []string{"agent"}) {
		t.Errorf("left %v", now)
	}
	if err := c.Bury(t.Context(), "d6"); err == nil {
		t.Error("it was done before anybody saw the pod go")
	}
	if err := c.Bury(t.Context(), "d6"); err != nil {
		t.Error(err)
	}
}

// What was heard of a kubelet is told apart by what the API holds, and by its lease too.
func TestHeard(t *testing.T) {
	c := admin(t)
	if err := c.ApplyNode(t.Context(), Node{Name: "heard", Arch: "amd64"}); err != nil {
		t.Fatal(err)
	}
	says := func(status corev1.ConditionStatus, at time.Time) Hearing {
		t.Helper()
		n, err := c.typed.CoreV1().Nodes().Get(t.Context(), "heard", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, LastTransitionTime: metav1.NewTime(at)}}
		if _, err := c.typed.CoreV1().Nodes().UpdateStatus(t.Context(), n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		h, err := c.Heard(t.Context(), "heard")
		if err != nil || !h.Exists || h.Last == "" {
			t.Errorf("%+v, %v", h, err)
		}
		return h
	}
	at := time.Now()
	for _, status := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse} {
		if says(status, at).Silent {
			t.Errorf("a kubelet that says %s is silent", status)
		}
		if use, err := c.Use(t.Context(), "heard"); err != nil || !use.Speaks {
			t.Errorf("%s: %+v, %v", status, use, err)
		}
	}
	first := says(corev1.ConditionUnknown, at)
	if use, err := c.Use(t.Context(), "heard"); err != nil || use.Speaks || !first.Silent {
		t.Errorf("%+v, %+v, %v", first, use, err)
	}
	if says(corev1.ConditionUnknown, at) != first || says(corev1.ConditionUnknown, at.Add(time.Minute)) == first {
		t.Error("that it was heard of meanwhile is not told apart from that it was not")
	}
	first = says(corev1.ConditionUnknown, at)
	now := metav1.NewMicroTime(at)
	if _, err := c.typed.CoordinationV1().Leases(corev1.NamespaceNodeLease).Create(t.Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "heard"}, Spec: coordinationv1.LeaseSpec{RenewTime: &now},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if says(corev1.ConditionUnknown, at) == first {
		t.Error("its lease tells nothing")
	}
	if h, err := c.Heard(t.Context(), "no-such"); err != nil || h.Exists || h.Silent {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestCordonAndExclude(t *testing.T) {
	c := admin(t)
	if err := c.ApplyNode(t.Context(), Node{Name: "use", Arch: "amd64"}); err != nil {
		t.Fatal(err)
	}
	see := func(want NodeUse) {
		t.Helper()
		got, err := c.Use(t.Context(), "use")
		if got.UID == "" {
			t.Error("it has no UID")
		}
		want.UID = got.UID // the API gives it
		if want.Exists = true; err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	see(NodeUse{})
	must(c.Cordon(t.Context(), "use", true))
	must(c.Exclude(t.Context(), "use"))
	see(NodeUse{Cordoned: true, Unserving: true})
	if o := c.ObserveNodes(t.Context(), []Node{{Name: "use", Arch: "amd64"}})["use"]; o.State != AsWanted {
		t.Errorf("an apply would undo it: %v", o)
	}
	must(c.Cordon(t.Context(), "use", false))
	must(c.Include(t.Context(), "use"))
	see(NodeUse{})
	// What others did stays.
	must(c.patchUse(t.Context(), "use", map[string]any{"metadata": map[string]any{"labels": map[string]any{corev1.LabelNodeExcludeBalancers: "true"}}}))
	must(c.Include(t.Context(), "use"))
	see(NodeUse{Unserving: true})
	// What would keep it is told.
	must(c.patchUse(t.Context(), "use", map[string]any{"metadata": map[string]any{"finalizers": []string{"example.com/a", "example.com/b"}}}))
	see(NodeUse{Unserving: true, Finalizers: "example.com/a, example.com/b"})
	if gone, err := c.Use(t.Context(), "no-such"); err != nil || gone.Exists || !gone.Cordoned || !gone.Unserving {
		t.Errorf("%+v, %v", gone, err)
	}
}

func TestSome(t *testing.T) {
	var names []string
	for n := range 7 {
		names = append(names, fmt.Sprint(n))
	}
	if got := some(names); got != "0, 1, 2, 3, 4 and 2 more" {
		t.Error(got)
	}
}
