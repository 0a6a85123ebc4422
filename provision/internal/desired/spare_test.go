package desired

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverctl/drover/provision/internal/cluster"
)

// What serves nobody must do so at every look: others may be needed although one look,
// or many, could not tell.
func TestSpared(t *testing.T) {
	needed := errors.New("without it 1 of 3 members answers")
	nobody := fmt.Errorf("%w: no quorum", cluster.ErrServesNobody)
	at := func(when time.Duration, what, otherwise error) func(time.Duration) error {
		return func(now time.Duration) error {
			if now >= when && now < when+time.Second {
				return what
			}
			return otherwise
		}
	}
	for name, c := range map[string]struct {
		seen  func(now time.Duration) error
		want  error
		after time.Duration
	}{
		"spared at once":                     {at(0, nil, nil), nil, 0},
		"spared soon":                        {at(5*time.Second, nil, needed), nil, 5 * time.Second},
		"needed":                             {at(0, needed, needed), needed, settling},
		"needed, and not seen for a moment":  {at(3*time.Second, nobody, needed), needed, settling},
		"needed, and seen for a moment only": {at(3*time.Second, needed, nobody), needed, settling},
		"needed, and seen late":              {at(20*time.Second, needed, nobody), needed, 20 * time.Second},
		"spared late":                        {at(20*time.Second, nil, nobody), nil, 20 * time.Second},
		"serves nobody":                      {at(0, nobody, nobody), nil, settling + lasting},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := spared(t.Context(), func(context.Context) error { return c.seen(time.Since(start)) })
				if took := time.Since(start); err != c.want || took < c.after || took > c.after+time.Second {
					t.Errorf("%v after %s, want %v after %s", err, took, c.want, c.after)
				}
			})
		})
	}
}

// Who is stopped meanwhile is told that, and not what may be done.
func TestSparedIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		err := spared(ctx, func(context.Context) error { return cluster.ErrServesNobody })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
