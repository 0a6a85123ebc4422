package resource

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What the API refuses is given up soon, except for an address that a request which was
// cut off has left allocated: that is free again in a while.
func TestApplied(t *testing.T) {
	invalid := func(detail string) error {
		return apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "kube-dns", field.ErrorList{
			field.Invalid(field.NewPath("spec", "clusterIPs"), []string{"10.101.0.10"}, detail),
		})
	}
	taken := invalid("failed to allocate IP 10.101.0.10: provided IP is already allocated")
	for name, c := range map[string]struct {
		refused error
		until   time.Duration
		took    time.Duration
		ok      bool
	}{
		"taken at once":            {nil, 0, 0, true},
		"a kind that is new":       {errors.New("no matches for kind"), 10 * time.Second, 10 * time.Second, true},
		"no such kind":             {errors.New("no matches for kind"), time.Hour, applyLimit, false},
		"another invalid field":    {invalid("not a valid IP"), time.Hour, applyLimit, false},
		"an address that was left": {taken, 100 * time.Second, 100 * time.Second, true},
		"somebody's address":       {taken, time.Hour, addressLimit, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := applied(t.Context(), "Service kube-system/kube-dns", func(context.Context) error {
					if time.Since(start) >= c.until {
						return nil
					}
					return c.refused
				}, nil)
				if took := time.Since(start); (err == nil) != c.ok || took < c.took || took > c.took+time.Second {
					t.Errorf("%v after %s, want after %s", err, took, c.took)
				}
				if err != nil && !strings.Contains(err.Error(), c.refused.Error()) {
					t.Errorf("it does not say why: %v", err)
				}
			})
		})
	}
}

// An API that does not answer is given up as soon as one that refuses.
func TestAppliedToAnAPIThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := applied(t.Context(), "Service kube-system/kube-dns", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, nil)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > applyLimit+time.Second {
			t.Errorf("%v after %s", err, took)
		}
	})
}
