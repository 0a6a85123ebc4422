package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodTrouble is a pod that is not ready.
type PodTrouble struct {
	Namespace, Name, Node string
	Why                   string
	// Stuck says that it is more than on its way: a container waits for what does not
	// come by itself.
	Stuck bool
}

func (p PodTrouble) String() string { return "pod " + p.Namespace + "/" + p.Name }

// Troubled are the pods in trouble of Deployments and DaemonSets; on a node alone
// when one is named.
func (c *Client) Troubled(ctx context.Context, node string, keys ...Key) ([]PodTrouble, error) {
	var out []PodTrouble
	for _, k := range keys {
		selector, err := c.selector(ctx, k)
		if err != nil {
			return out, fmt.Errorf("look at %s: %w", k, err)
		}
		pods, err := c.typed.CoreV1().Pods(k.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(selector)})
		if err != nil {
			return out, fmt.Errorf("list the pods of %s: %w", k, err)
		}
		for i := range pods.Items {
			p := &pods.Items[i]
			if why := podTrouble(p); why != "" && (node == "" || p.Spec.NodeName == node) {
				out = append(out, PodTrouble{p.Namespace, p.Name, p.Spec.NodeName, why, stuck(p)})
			}
		}
	}
	return out, nil
}

// stuck reports whether a container waits for more than to be made.
func stuck(p *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses), func(s corev1.ContainerStatus) bool {
		w := s.State.Waiting
		return w != nil && !slices.Contains([]string{"", "ContainerCreating", "PodInitializing"}, w.Reason)
	})
}

func (c *Client) selector(ctx context.Context, k Key) (*metav1.LabelSelector, error) {
	switch k.Kind {
	case "Deployment":
		d, err := c.typed.AppsV1().Deployments(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return d.Spec.Selector, nil
	case "DaemonSet":
		d, err := c.typed.AppsV1().DaemonSets(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return d.Spec.Selector, nil
	}
	return nil, fmt.Errorf("%s is no kind that has pods", k.Kind)
}

const (
	mostEvents = 8
	// logLines is how much of a container's log is read.
	logLines = 10
	// widest is how much of a line is shown.
	widest = 400
)

// Evidence is what the API knows of a pod in trouble: its state, its latest events,
// oldest first, and the end of the log of the container that is the reason.
func (c *Client) Evidence(ctx context.Context, namespace, name string) ([]string, error) {
	pod, err := c.typed.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("look at pod %s/%s: %w", namespace, name, err)
	}
	var out []string
	if why := podTrouble(pod); why != "" {
		out = append(out, "it "+why)
	}
	list, err := c.typed.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.kind=Pod,involvedObject.name=" + name, Limit: pageSize})
	if err != nil {
		return out, fmt.Errorf("read events of pod %s/%s: %w", namespace, name, err)
	}
	events := slices.DeleteFunc(list.Items, func(e corev1.Event) bool { return e.InvolvedObject.UID != pod.UID })
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b).Time) })
	for _, e := range events[max(0, len(events)-mostEvents):] {
		out = append(out, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, cutTo(strings.TrimSpace(e.Message), widest)))
	}
	return append(out, c.lastWords(ctx, pod)...), nil
}

// eventTime is when an event was last seen; new-style events have only EventTime.
func eventTime(e corev1.Event) metav1.Time {
	if e.LastTimestamp.IsZero() {
		return metav1.NewTime(e.EventTime.Time)
	}
	return e.LastTimestamp
}

// lastWords is the end of the log of the container that keeps a pod from being ready,
// if it ever ran.
func (c *Client) lastWords(ctx context.Context, pod *corev1.Pod) []string {
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		why := containerTrouble(s)
		ended := s.LastTerminationState.Terminated != nil
		if why == "" || !ended && s.State.Running == nil && s.State.Terminated == nil {
			continue
		}
		lines := int64(logLines)
		raw, err := c.typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: s.Name, TailLines: &lines, Previous: ended && s.State.Waiting != nil,
		}).Do(ctx).Raw()
		if err != nil {
			return []string{fmt.Sprintf("the log of container %s could not be read: %v", s.Name, err)}
		}
		out := []string{"the end of the log of container " + s.Name + ":"}
		for line := range strings.Lines(cmp.Or(strings.TrimSpace(string(raw)), "(empty)")) {
			out = append(out, "  "+cutTo(strings.TrimRight(line, "\n"), widest))
		}
		return out
	}
	return nil
}
