package kube

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Standing is how many pods of each controller were ready, of those that have some on
// a node.
type Standing struct {
	of    map[types.UID]Key
	ready map[types.UID]int
}

// Standing is how the controllers stand that have pods to leave a node.
func (c *Client) Standing(ctx context.Context, node string) (Standing, error) {
	s := Standing{map[types.UID]Key{}, map[types.UID]int{}}
	pods, err := c.pods(ctx, metav1.NamespaceAll)
	if err != nil {
		return s, err
	}
	for i := range pods {
		if by := metav1.GetControllerOf(&pods[i]); by != nil && pods[i].Spec.NodeName == node && leaves(&pods[i]) {
			s.of[by.UID] = Key{Kind: by.Kind, Namespace: pods[i].Namespace, Name: by.Name}
		}
	}
	s.ready = s.count(pods)
	return s, nil
}

// count is how many pods of its controllers are ready.
func (s Standing) count(pods []corev1.Pod) map[types.UID]int {
	ready := map[types.UID]int{}
	for i := range pods {
		by := metav1.GetControllerOf(&pods[i])
		if by == nil || s.of[by.UID].Kind == "" || pods[i].DeletionTimestamp != nil {
			continue
		}
		if podReady(&pods[i]) {
			ready[by.UID]++
		}
	}
	return ready
}

func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// AsBefore is nil when as many pods are ready of each controller as there were. A
// controller that is gone, or wants fewer by now, is as it is to be.
func (c *Client) AsBefore(ctx context.Context, s Standing) error {
	pods, err := c.pods(ctx, metav1.NamespaceAll)
	if err != nil {
		return err
	}
	now := s.count(pods)
	waits := map[types.UID]string{} // who has pods that are on their way
	for i := range pods {
		by := metav1.GetControllerOf(&pods[i])
		if by == nil || s.of[by.UID].Kind == "" {
			continue
		}
		if why := podTrouble(&pods[i]); why != "" {
			waits[by.UID] = pods[i].Name + " " + why
		}
	}
	var bad []string
	for uid, key := range s.of {
		if now[uid] >= s.ready[uid] {
			continue
		}
		why := waits[uid]
		if why == "" {
			want, err := c.replicas(ctx, key, uid)
			if err != nil {
				return err
			}
			if now[uid] >= want {
				continue
			}
			why = "another is not made yet"
		}
		bad = append(bad, fmt.Sprintf("%s has %d of %d pods ready: %s", key, now[uid], s.ready[uid], why))
	}
	slices.Sort(bad)
	return notReady(bad)
}

// replicas is how many pods a controller wants, 0 when that cannot be told of its
// kind, or it is gone.
func (c *Client) replicas(ctx context.Context, k Key, uid types.UID) (int, error) {
	var have types.UID
	var want *int32
	var err error
	switch k.Kind {
	case "ReplicaSet":
		o, e := c.typed.AppsV1().ReplicaSets(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
		if err = e; e == nil {
			have, want = o.UID, o.Spec.Replicas
		}
	case "StatefulSet":
		o, e := c.typed.AppsV1().StatefulSets(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
		if err = e; e == nil {
			have, want = o.UID, o.Spec.Replicas
		}
	}
	switch {
	case apierrors.IsNotFound(err):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("look at %s: %w", k, err)
	case have != uid || want == nil:
		return 0, nil
	}
	return int(*want), nil
}
