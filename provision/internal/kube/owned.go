package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// pageSize bounds one answer to a list.
const pageSize = 500

// Owned lists the objects that drover made, of the kinds given or, with none
// given, of all: those with our label, when it was our field manager that put it
// there. A copy of our label in somebody else's manifest makes nothing ours. A
// kind that is not served has no objects.
func (c *Client) Owned(ctx context.Context, of ...schema.GroupKind) ([]Ref, error) {
	var found []schema.GroupVersionKind
	for _, gk := range of {
		found = append(found, gk.WithVersion(""))
	}
	if len(of) == 0 {
		all, err := c.kinds.all(ctx)
		if err != nil {
			return nil, err
		}
		found = all
	}
	var (
		since = time.Now()
		refs  = make([][]Ref, len(found))
		errs  = make([]error, len(found))
		wg    sync.WaitGroup
		slots = make(chan struct{}, lookers)
	)
	for i, gvk := range found {
		slots <- struct{}{}
		wg.Go(func() {
			refs[i], errs[i] = c.owned(ctx, gvk, since)
			<-slots
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out := slices.Concat(refs...)
	slices.SortFunc(out, func(a, b Ref) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

func (c *Client) owned(ctx context.Context, gvk schema.GroupVersionKind, since time.Time) ([]Ref, error) {
	r, err := c.kinds.find(ctx, gvk, since)
	var unknown *UnknownKindError
	if errors.As(err, &unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Ref
	options := metav1.ListOptions{LabelSelector: ManagedByLabel + "=" + ManagedBy, Limit: pageSize}
	for {
		page, err := c.metadata.Resource(r.gvr).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", gvk.Kind, err)
		}
		for _, o := range page.Items {
			if isOurs(&o) {
				out = append(out, Ref{
					Key:     Key{Group: gvk.Group, Kind: gvk.Kind, Namespace: o.Namespace, Name: o.Name},
					Version: r.gvr.Version, UID: o.UID,
				})
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return out, nil
		}
	}
}

// isOurs reports whether an object is one that drover made.
func isOurs(o metav1.Object) bool {
	return o.GetLabels()[ManagedByLabel] == ManagedBy && labelledByUs(o.GetManagedFields())
}

// madeByUs reports whether drover applied an object. That is no leave to prune it,
// but what runs for it is none of the users'.
func madeByUs(o metav1.Object) bool {
	return slices.ContainsFunc(o.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == FieldManager && e.Operation == metav1.ManagedFieldsOperationApply
	})
}

// labelledByUs reports whether it was drover that set the label by which its
// objects are found.
func labelledByUs(entries []metav1.ManagedFieldsEntry) bool {
	for _, e := range entries {
		if e.Manager != FieldManager || e.Operation != metav1.ManagedFieldsOperationApply || e.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Metadata struct {
				Labels map[string]json.RawMessage `json:"f:labels"`
			} `json:"f:metadata"`
		}
		if json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		if _, ok := fields.Metadata.Labels["f:"+ManagedByLabel]; ok {
			return true
		}
	}
	return false
}
