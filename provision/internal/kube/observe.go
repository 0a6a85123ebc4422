package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// State is what looking at an object found.
type State int

// The zero value is Unseen, so that an object nobody looked at never passes for
// absent or well.
const (
	Unseen     State = iota // could not be looked at: Err says why
	Absent                  // the API was asked and has no such object
	KindAbsent              // nor its kind, as before a CRD is applied: Err is an *UnknownKindError
	AsWanted                // an apply would change nothing
	Differs                 // an apply would change Differences
	Refused                 // the object exists and the API refuses what is wanted: Err says why
)

func (s State) String() string {
	return [...]string{"could not be seen", "absent", "absent, as is its kind", "as wanted", "differs", "refused"}[s]
}

// Observation is one object as it was found.
type Observation struct {
	State State
	// Differences are fields with what they are and what they would become,
	// "spec.replicas: 1 → 2"; for Secrets fields alone.
	Differences []string
	Err         error
}

// lookers is how many objects are looked at at once.
const lookers = 32

// Observe compares objects with what the API would make of them. It changes
// nothing: what an apply would do is found by a dry run.
func (c *Client) Observe(ctx context.Context, objs []*unstructured.Unstructured) map[Key]Observation {
	var (
		since = time.Now()
		out   = make(map[Key]Observation, len(objs))
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan struct{}, lookers)
	)
	for _, obj := range objs {
		slots <- struct{}{}
		wg.Go(func() {
			o := c.observe(ctx, obj, since)
			mu.Lock()
			out[KeyOf(obj)] = o
			mu.Unlock()
			<-slots
		})
	}
	wg.Wait()
	return out
}

// looks is how often an object is looked at anew that somebody writes just then.
const looks = 5

func (c *Client) observe(ctx context.Context, obj *unstructured.Unstructured, since time.Time) Observation {
	key := KeyOf(obj)
	target, err := c.target(ctx, Ref{Key: key, Version: obj.GroupVersionKind().Version}, since)
	if unknown, ok := err.(*UnknownKindError); ok {
		return Observation{State: KindAbsent, Err: unknown}
	}
	if err != nil {
		return unseen(key, err)
	}
	return observeAt(ctx, target, obj)
}

func observeAt(ctx context.Context, target dynamic.ResourceInterface, obj *unstructured.Unstructured) (o Observation) {
	for range looks {
		var written bool
		if o, written = look(ctx, target, obj); !written {
			break
		}
	}
	return o
}

func unseen(key Key, err error) Observation {
	return Observation{Err: fmt.Errorf("look at %s: %w", key, quiet(key, err))}
}

// look compares an object once. It takes two requests; what was written between them
// looks like a difference, as what a controller adds to an object that is new.
func look(ctx context.Context, target dynamic.ResourceInterface, obj *unstructured.Unstructured) (_ Observation, written bool) {
	key := KeyOf(obj)
	live, err := target.Get(ctx, key.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return Observation{State: Absent}, false
	case err != nil:
		return unseen(key, err), false
	}
	applied, err := apply(ctx, target, obj, []string{metav1.DryRunAll})
	switch {
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err):
		// Invalid is also what an immutable field answers; bad request is a field
		// of the wrong type. The object itself was seen.
		return Observation{State: Refused, Err: fmt.Errorf("try %s: %w", key, quiet(key, err))}, false
	case err != nil:
		return unseen(key, err), false
	case applied.GetUID() != live.GetUID():
		return Observation{State: Absent}, false // it went away between the two requests
	}
	differences := compare(live, applied)
	if live.GetDeletionTimestamp() != nil {
		differences = append(differences, "it is being deleted")
	}
	if len(differences) > 0 {
		// A dry run answers with the version that it began with.
		return Observation{State: Differs, Differences: differences}, applied.GetResourceVersion() != live.GetResourceVersion()
	}
	return Observation{State: AsWanted}, false
}
