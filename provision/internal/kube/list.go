package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Get is an object as it is; nil when there is none, or no such kind.
func (c *Client) Get(ctx context.Context, ref Ref) (*unstructured.Unstructured, error) {
	target, err := c.target(ctx, ref, time.Now())
	var unknown *UnknownKindError
	if errors.As(err, &unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", ref.Key, err)
	}
	obj, err := target.Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", ref.Key, quiet(ref.Key, err))
	}
	return obj, nil
}

// List lists all objects of a kind, in all namespaces. A kind that is not served
// has no objects.
func (c *Client) List(ctx context.Context, kind schema.GroupKind) ([]unstructured.Unstructured, error) {
	r, err := c.kinds.find(ctx, kind.WithVersion(""), time.Now())
	var unknown *UnknownKindError
	if errors.As(err, &unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", kind, err)
	}
	var out []unstructured.Unstructured
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.dynamic.Resource(r.gvr).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", kind, err)
		}
		out = append(out, page.Items...)
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return out, nil
		}
	}
}
