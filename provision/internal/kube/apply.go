package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Apply makes an object hold what obj says, and takes away what drover set
// before and obj no longer says. What others set besides stays.
func (c *Client) Apply(ctx context.Context, obj *unstructured.Unstructured) error {
	key := KeyOf(obj)
	target, err := c.target(ctx, Ref{Key: key, Version: obj.GroupVersionKind().Version}, time.Now())
	if err != nil {
		return fmt.Errorf("apply %s: %w", key, err)
	}
	if _, err := apply(ctx, target, obj, nil); err != nil {
		return fmt.Errorf("apply %s: %w", key, quiet(key, err))
	}
	if key.Kind == "CustomResourceDefinition" {
		c.kinds.changed()
	}
	return nil
}

// Delete removes an object and, in the background, what it owns. An object that
// is gone already, or of a kind that is not served, is no error.
func (c *Client) Delete(ctx context.Context, ref Ref) error {
	target, err := c.target(ctx, ref, time.Now())
	var unknown *UnknownKindError
	if errors.As(err, &unknown) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", ref.Key, err)
	}
	background := metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{PropagationPolicy: &background}
	if ref.UID != "" {
		options.Preconditions = &metav1.Preconditions{UID: &ref.UID}
	}
	if err := target.Delete(ctx, ref.Name, options); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s: %w", ref.Key, err)
	}
	if ref.Kind == "CustomResourceDefinition" {
		c.kinds.forget()
	}
	return nil
}

// target is where requests for an object go. A namespace that is missing is a
// mistake of the caller and never "default".
func (c *Client) target(ctx context.Context, ref Ref, since time.Time) (dynamic.ResourceInterface, error) {
	r, err := c.kinds.find(ctx, ref.gvk(), since)
	switch {
	case err != nil:
		return nil, err
	case ref.Name == "":
		return nil, fmt.Errorf("%s has no name", ref.Kind)
	case r.namespaced && ref.Namespace == "":
		return nil, fmt.Errorf("%s needs a namespace", ref.Key)
	case !r.namespaced && ref.Namespace != "":
		return nil, fmt.Errorf("%s has a namespace, and its kind has none", ref.Key)
	case r.namespaced:
		return c.dynamic.Resource(r.gvr).Namespace(ref.Namespace), nil
	}
	return c.dynamic.Resource(r.gvr), nil
}

func apply(ctx context.Context, to dynamic.ResourceInterface, obj *unstructured.Unstructured, dryRun []string) (*unstructured.Unstructured, error) {
	body, err := obj.MarshalJSON()
	if err != nil {
		return nil, err
	}
	force := true
	return to.Patch(ctx, obj.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: FieldManager, Force: &force, DryRun: dryRun})
}

// quiet keeps an error about a Secret from quoting what is in it: the API repeats
// values it finds invalid. Its type and reason stay.
func quiet(k Key, err error) error {
	var status *apierrors.StatusError
	if !isSecret(k) || !errors.As(err, &status) {
		return err
	}
	hidden := *status
	hidden.ErrStatus.Message = fmt.Sprintf("%s (%d); the API's words are left out, they may quote the Secret",
		strings.ToLower(string(status.ErrStatus.Reason)), status.ErrStatus.Code)
	hidden.ErrStatus.Details = nil
	return &hidden
}

func isSecret(k Key) bool { return k.Group == "" && k.Kind == "Secret" }
