package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Drain says what taking the pods off a node may cost. The names are kubectl's; its
// own library is not used, which would double what this program holds in memory.
type Drain struct {
	Force           bool   // also pods that nobody makes again
	DeleteEmptyDir  bool   // also pods that lose the content of emptyDir volumes
	DisableEviction bool   // they are deleted: disruption budgets are not asked
	GraceSeconds    *int64 // that a pod has to end; nil: its own
	// Dead says that nobody is left there to end pods, and no data to be saved: they
	// are taken off the API at once.
	Dead bool
}

// Obstacle is why pods must not be taken off a node as it was asked.
type Obstacle struct {
	What     string
	Override string // the flag that does so all the same
}

// Leaving are the pods that a drain takes off the nodes: all but those that run for
// the sake of the nodes, a DaemonSet's and the shadows of files there.
func (c *Client) Leaving(ctx context.Context, nodes ...string) ([]corev1.Pod, error) {
	pods, err := c.PodsOn(ctx, nodes...)
	return slices.DeleteFunc(pods, func(p corev1.Pod) bool { return !leaves(&p) }), err
}

// PodsOn are all pods on nodes.
func (c *Client) PodsOn(ctx context.Context, nodes ...string) ([]corev1.Pod, error) {
	var out []corev1.Pod
	for _, name := range nodes {
		options := metav1.ListOptions{Limit: pageSize, FieldSelector: "spec.nodeName=" + name}
		for {
			page, err := c.typed.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
			if err != nil {
				return nil, fmt.Errorf("list the pods on %s: %w", name, err)
			}
			out = append(out, page.Items...)
			if options.Continue = page.Continue; options.Continue == "" {
				break
			}
		}
	}
	return out, nil
}

// Bury takes the pods of a node off the API that is no more, and is nil when none is
// left. It is called until then.
func (c *Client) Bury(ctx context.Context, node string) error {
	pods, err := c.PodsOn(ctx, node)
	if err != nil {
		return err
	}
	var left []string
	for i := range pods {
		p := &pods[i]
		if err := c.evict(ctx, p, Drain{Dead: true}); err != nil {
			left = append(left, fmt.Sprintf("pod %s: %v", podName(p), err))
			continue
		}
		left = append(left, fmt.Sprintf("pod %s %s", podName(p), holds(p, time.Now())))
	}
	return notReady(left)
}

func leaves(p *corev1.Pod) bool {
	if _, shadow := p.Annotations[corev1.MirrorPodAnnotationKey]; shadow {
		return false
	}
	by := metav1.GetControllerOf(p)
	return by == nil || by.Kind != "DaemonSet" && by.Kind != "Node"
}

// Obstacles are what stands in the way of a drain of these pods, whatever the
// moment.
func (d Drain) Obstacles(pods []corev1.Pod) []Obstacle {
	if d.Dead {
		return nil
	}
	var alone, local []string
	for i := range pods {
		p := &pods[i]
		if over(p) || p.DeletionTimestamp != nil || madeByUs(p) {
			continue
		}
		if metav1.GetControllerOf(p) == nil {
			alone = append(alone, podName(p))
		}
		if slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.EmptyDir != nil }) {
			local = append(local, podName(p))
		}
	}
	var out []Obstacle
	if len(alone) > 0 && !d.Force {
		out = append(out, Obstacle{"no controller would make these pods again: " + some(alone), "--force"})
	}
	if len(local) > 0 && !d.DeleteEmptyDir {
		out = append(out, Obstacle{"these pods would lose what is in their emptyDir volumes: " + some(local), "--delete-emptydir-data"})
	}
	return out
}

// HeldBackError is why a drain does not begin.
type HeldBackError struct{ Obstacles []Obstacle }

func (e *HeldBackError) Error() string {
	var words []string
	for _, o := range e.Obstacles {
		words = append(words, fmt.Sprintf("%s (%s does so all the same)", o.What, o.Override))
	}
	return strings.Join(words, "; ")
}

// Drain asks every pod that is to leave a node to go, and is nil when none is left.
// A *NotReadyError names those that are, each with what holds it. It is called until
// then: who is held by a disruption budget is asked again.
func (c *Client) Drain(ctx context.Context, node string, d Drain) error {
	pods, err := c.Leaving(ctx, node)
	if err != nil {
		return err
	}
	if o := d.Obstacles(pods); len(o) > 0 {
		return &HeldBackError{o}
	}
	var left []string
	for i := range pods {
		p := &pods[i]
		if p.DeletionTimestamp == nil || d.Dead {
			if err := c.evict(ctx, p, d); err != nil {
				left = append(left, fmt.Sprintf("pod %s: %v", podName(p), err))
				continue
			}
		}
		left = append(left, fmt.Sprintf("pod %s %s", podName(p), holds(p, time.Now())))
	}
	return notReady(left)
}

// evict asks one pod to go. One that is gone, or was made anew, is gone.
func (c *Client) evict(ctx context.Context, p *corev1.Pod, d Drain) error {
	uid := p.UID
	options := metav1.DeleteOptions{GracePeriodSeconds: d.GraceSeconds, Preconditions: &metav1.Preconditions{UID: &uid}}
	if d.Dead {
		options.GracePeriodSeconds = new(int64)
	}
	var err error
	if d.Dead || d.DisableEviction {
		err = c.typed.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, options)
	} else {
		err = c.typed.PolicyV1().Evictions(p.Namespace).Evict(ctx, &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace}, DeleteOptions: &options,
		})
	}
	switch {
	case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	case apierrors.IsTooManyRequests(err):
		return errors.New(budgetWords(err))
	}
	return err
}

// budgetWords are why the API lets no disruption happen, with the budget's name.
func budgetWords(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			if cause.Type == policyv1.DisruptionBudgetCause && cause.Message != "" {
				return strings.TrimSuffix(strings.ToLower(cause.Message[:1])+cause.Message[1:], ".")
			}
		}
	}
	return err.Error()
}

// holds is what a pod that was asked to go waits for.
func holds(p *corev1.Pod, now time.Time) string {
	if p.DeletionTimestamp == nil {
		return "was asked to go just now"
	}
	late := now.Sub(p.DeletionTimestamp.Time)
	running := runningContainers(p)
	switch {
	case late <= 0:
		return fmt.Sprintf("is ending, and has another %s for that", (-late).Round(time.Second))
	case len(running) > 0:
		return fmt.Sprintf("should have ended %s ago; by the kubelet's last word these containers still run: %s", late.Round(time.Second), strings.Join(running, ", "))
	case len(p.Finalizers) > 0:
		return fmt.Sprintf("has ended, and is kept by its finalizers %s", strings.Join(p.Finalizers, ", "))
	}
	why := fmt.Sprintf("should be gone since %s, and the kubelet does not take it away", late.Round(time.Second))
	if volumes := heldVolumes(p); len(volumes) > 0 {
		why += "; volumes that may not come off: " + strings.Join(volumes, ", ")
	}
	return why
}

func runningContainers(p *corev1.Pod) []string {
	var out []string
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.State.Running != nil {
			out = append(out, s.Name)
		}
	}
	return out
}

// heldVolumes are those that a host has to unmount.
func heldVolumes(p *corev1.Pod) []string {
	var out []string
	for _, v := range p.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			out = append(out, v.Name+" (claim "+v.PersistentVolumeClaim.ClaimName+")")
		case v.NFS != nil:
			out = append(out, v.Name+" (nfs "+v.NFS.Server+":"+v.NFS.Path+")")
		case v.CSI != nil:
			out = append(out, v.Name+" ("+v.CSI.Driver+")")
		}
	}
	return out
}

// over reports whether a pod's containers have ended for good.
func over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func podName(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }

// some are the first of many names.
func some(names []string) string {
	const most = 5
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}
