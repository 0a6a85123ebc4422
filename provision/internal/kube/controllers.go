package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// controller follows owner references upwards from a pod's controller.
func (c *Client) controller(ctx context.Context, namespace string, ref *metav1.OwnerReference) (owner, error) {
	since := time.Now()
	for {
		found := owner{Kind: ref.Kind, Name: ref.Name}
		gv, err := schema.ParseGroupVersion(ref.APIVersion)
		if err != nil {
			return found, nil
		}
		r, err := c.kinds.find(ctx, gv.WithKind(ref.Kind), since)
		var unknown *UnknownKindError
		switch {
		case errors.As(err, &unknown):
			return found, nil // its kind is gone, the pod still runs
		case err != nil:
			return owner{}, err
		case !r.namespaced:
			return found, nil
		}
		meta, err := c.metadata.Resource(r.gvr).Namespace(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return found, nil
		case err != nil:
			return owner{}, fmt.Errorf("look at %s %s/%s: %w", ref.Kind, namespace, ref.Name, err)
		}
		up := metav1.GetControllerOf(meta)
		if up == nil {
			found.ours = madeByUs(meta)
			return found, nil
		}
		ref = up
	}
}

// pods lists the pods that have not ended.
func (c *Client) pods(ctx context.Context, namespace string) ([]corev1.Pod, error) {
	var out []corev1.Pod
	options := metav1.ListOptions{Limit: pageSize, FieldSelector: "status.phase!=Succeeded"}
	for {
		page, err := c.typed.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list pods: %w", err)
		}
		out = append(out, page.Items...)
		if options.Continue = page.Continue; options.Continue == "" {
			return out, nil
		}
	}
}
