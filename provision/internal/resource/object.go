package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// Object is an object in the cluster's API, of which drover owns the fields it
// sets and no others.
type Object struct {
	Object *unstructured.Unstructured
	Needs  []plan.ID
	At     *diag.Range
	// Complete adds what of the object that there is has to stay, to a copy; nil is
	// nothing. It only reads.
	Complete func(ctx context.Context, api *kube.Client, obj *unstructured.Unstructured) (*unstructured.Unstructured, error)
}

// complete is the object as it is to be applied.
func (o Object) complete(ctx context.Context, api *kube.Client) (*unstructured.Unstructured, error) {
	if o.Complete == nil {
		return o.Object, nil
	}
	return o.Complete(ctx, api, o.Object)
}

// ObjectID is the ID of an object.
func ObjectID(obj *unstructured.Unstructured) plan.ID {
	return plan.NewID(plan.ClusterHost, "object", kube.KeyOf(obj).String())
}

// asWanted is the state of an object in which an apply would change nothing.
const asWanted = "as wanted"

// Item is the object, with every field drover sets.
func (o Object) Item() plan.Item {
	return plan.Item{ID: ObjectID(o.Object), Needs: o.Needs, At: o.At, Want: plan.State{"fields": asWanted}, Content: contentOf(o.Object)}
}

// contentOf names an object with all its fields; of a Secret, without the
// values: the digest of a password can be guessed from.
func contentOf(obj *unstructured.Unstructured) string {
	fields := obj.Object
	if obj.GroupVersionKind().GroupKind() == (schema.GroupKind{Kind: "Secret"}) {
		fields = obj.DeepCopy().Object
		for _, part := range []string{"data", "stringData"} {
			values, _ := fields[part].(map[string]any)
			for key := range values {
				values[key] = ""
			}
		}
	}
	return ContentOf(fields)
}

// ContentOf names a value that has a JSON form.
func ContentOf(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("resource: a content without a JSON form: %v", err)) // they are drover's own
	}
	return digest(text)
}

// Scope is nothing on a host.
func (o Object) Scope() facts.Scope { return facts.Scope{} }

// Observe asks the API what an apply would change.
func (o Object) Observe(ctx context.Context, seen Seen) (plan.State, error) {
	c, err := seen.Cluster.API(ctx)
	if errors.Is(err, cluster.ErrNoCluster) {
		return plan.Unknown(), nil
	}
	if err != nil {
		return nil, err
	}
	obj, err := o.complete(ctx, c)
	if err != nil {
		return nil, err
	}
	return ObjectState(c.Observe(ctx, []*unstructured.Unstructured{obj})[kube.KeyOf(obj)])
}

// ObjectState is an observation in the words of a plan.
func ObjectState(got kube.Observation) (plan.State, error) {
	switch got.State {
	case kube.AsWanted:
		return plan.State{"fields": asWanted}, nil
	case kube.Absent, kube.KindAbsent:
		return nil, nil
	case kube.Differs:
		return plan.State{"fields": strings.Join(got.Differences, "; ")}, nil
	case kube.Refused:
		return plan.State{"fields": fmt.Sprintf("refused: %v", got.Err)}, nil
	case kube.Unseen:
	}
	return nil, got.Err
}

const (
	// applyLimit is how long an object may take to be taken: an API that has just
	// come up, or a kind that was just defined, refuses for a moment.
	applyLimit = 30 * time.Second
	// addressLimit is the same for a Service whose address seems to be taken. A request
	// that was cut off, as by a kill, can leave it allocated without a Service; the API
	// server frees such an address 60 s after it was taken, or when it looks at all of
	// them, every 3 min (Kubernetes' ipallocator/controller/repairip.go).
	addressLimit = 5 * time.Minute
)

// Apply applies the object.
func (o Object) Apply(ctx context.Context, w World, _ plan.Change) error {
	return applied(ctx, kube.KeyOf(o.Object).String(), func(ctx context.Context) error {
		c, err := w.Cluster.API(ctx)
		if err != nil {
			return err
		}
		obj, err := o.complete(ctx, c)
		if err != nil {
			return err
		}
		return c.Apply(ctx, obj)
	}, w.Waiting)
}

// applied applies until the API takes it.
func applied(ctx context.Context, what string, apply func(context.Context) error, waiting func(string)) error {
	start := time.Now()
	return wait.For(ctx, wait.Condition{
		What: "the API to take " + what, Limit: addressLimit, Every: 200 * time.Millisecond,
		Check: func(ctx context.Context) error {
			try, cancel := context.WithTimeout(ctx, applyLimit)
			defer cancel()
			err := apply(try)
			if err != nil && time.Since(start) >= applyLimit && !addressTaken(err) {
				return wait.Permanent(err)
			}
			return err
		},
	}, waiting)
}

func addressTaken(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "already allocated")
}
