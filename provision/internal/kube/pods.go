package kube

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodsReady is nil when every pod of the namespaces that has not ended is Ready.
// A namespace without a pod is not ready: what should run there has not begun.
func (c *Client) PodsReady(ctx context.Context, namespaces ...string) error {
	var bad []string
	for _, ns := range namespaces {
		pods, err := c.pods(ctx, ns)
		if err != nil {
			return err
		}
		if len(pods) == 0 {
			bad = append(bad, "namespace "+ns+" has no pod")
		}
		for i := range pods {
			if why := podTrouble(&pods[i]); why != "" {
				bad = append(bad, fmt.Sprintf("pod %s/%s %s", ns, pods[i].Name, why))
			}
		}
	}
	return notReady(bad)
}

// PodIP is a pod's address, once it runs.
func (c *Client) PodIP(ctx context.Context, namespace, name string) (netip.Addr, error) {
	p, err := c.typed.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look at pod %s/%s: %w", namespace, name, err)
	}
	at, err := netip.ParseAddr(p.Status.PodIP)
	if err != nil {
		return at, fmt.Errorf("pod %s/%s has no address yet", namespace, name)
	}
	return at, nil
}

// Workload is something of the users' that runs: a controller with its pods, or
// a pod alone.
type Workload struct {
	Kind, Namespace, Name string
	Pods                  int
}

func (w Workload) String() string {
	return fmt.Sprintf("%s %s/%s (%d pods)", w.Kind, w.Namespace, w.Name, w.Pods)
}

// Workloads are what runs, on the nodes named or anywhere, and is neither drover's
// own nor a DaemonSet's, which runs for the sake of the nodes.
func (c *Client) Workloads(ctx context.Context, on ...string) ([]Workload, error) {
	pods, err := c.pods(ctx, metav1.NamespaceAll)
	if err != nil {
		return nil, err
	}
	found := map[Workload]int{}
	owners := map[Key]owner{}
	for i := range pods {
		if pods[i].Status.Phase == corev1.PodFailed {
			continue // it ended
		}
		if len(on) > 0 && !slices.Contains(on, pods[i].Spec.NodeName) {
			continue
		}
		top, err := c.top(ctx, &pods[i], owners)
		if err != nil {
			return nil, err
		}
		// A pod that belongs to a Node is the shadow of a file on its host.
		if top.ours || top.Kind == "DaemonSet" || top.Kind == "Node" {
			continue
		}
		found[Workload{Kind: top.Kind, Namespace: pods[i].Namespace, Name: top.Name}]++
	}
	out := make([]Workload, 0, len(found))
	for w, n := range found {
		w.Pods = n
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// owner is what a pod belongs to in the end.
type owner struct {
	Kind, Name string
	ours       bool
}

// top follows a pod's controllers: a Deployment's pods belong to its ReplicaSets.
func (c *Client) top(ctx context.Context, pod *corev1.Pod, seen map[Key]owner) (owner, error) {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return owner{Kind: "Pod", Name: pod.Name, ours: madeByUs(pod)}, nil
	}
	if ref.Kind == "DaemonSet" || ref.Kind == "Node" {
		return owner{Kind: ref.Kind, Name: ref.Name}, nil
	}
	at := Key{Kind: ref.Kind, Namespace: pod.Namespace, Name: ref.Name}
	if o, ok := seen[at]; ok {
		return o, nil
	}
	o, err := c.controller(ctx, pod.Namespace, ref)
	if err != nil {
		return owner{}, err
	}
	seen[at] = o
	return o, nil
}

// podTrouble says why a pod is not Ready; a pod that ended and was replaced is
// in no trouble.
func podTrouble(p *corev1.Pod) string {
	switch {
	case p.Status.Phase == corev1.PodSucceeded:
		return ""
	case p.Status.Phase == corev1.PodFailed && metav1.GetControllerOf(p) != nil:
		return "" // what is left of an eviction; its controller made another
	}
	ready := false
	var unscheduled string
	for _, c := range p.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady:
			ready = c.Status == corev1.ConditionTrue
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			unscheduled = c.Message
		}
	}
	switch {
	case p.DeletionTimestamp != nil:
		return "is being deleted"
	case ready:
		return ""
	case unscheduled != "":
		return "has no node: " + unscheduled
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if why := containerTrouble(s); why != "" {
			return "is not Ready: container " + s.Name + " " + why
		}
	}
	if p.Status.Message != "" {
		return "is not Ready: " + p.Status.Message
	}
	return "is not Ready: " + cmp.Or(p.Status.Reason, strings.ToLower(string(p.Status.Phase)), "not started")
}

func containerTrouble(s corev1.ContainerStatus) string {
	ended := func(t *corev1.ContainerStateTerminated) string {
		return strings.TrimSuffix(fmt.Sprintf("ended with exit code %d: %s", t.ExitCode,
			cut(strings.TrimSpace(cmp.Or(t.Message, t.Reason)))), ": ")
	}
	switch {
	case s.Ready:
		return ""
	case s.State.Waiting != nil && s.LastTerminationState.Terminated != nil:
		return s.State.Waiting.Reason + ", last " + ended(s.LastTerminationState.Terminated)
	case s.State.Waiting != nil && s.State.Waiting.Message != "":
		return s.State.Waiting.Reason + ": " + s.State.Waiting.Message
	case s.State.Waiting != nil:
		return cmp.Or(s.State.Waiting.Reason, "has not started")
	case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
		return ended(s.State.Terminated)
	case s.State.Running != nil && s.Started != nil && !*s.Started:
		return "runs, and its startup probe has not passed"
	case s.State.Running != nil:
		return "runs, and its readiness probe fails"
	}
	return ""
}
