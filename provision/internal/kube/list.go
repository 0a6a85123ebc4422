package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

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
