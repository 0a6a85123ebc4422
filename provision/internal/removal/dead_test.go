package removal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What takes pods away unasked is a silence that lasts, seen by drover itself; one who was
// heard of once is not dead in this run.
func TestDeadIsALastingSilence(t *testing.T) {
	var silent = sign{last: "a"}
	failed := errors.New("no API server answers")
	for name, c := range map[string]struct {
		at    func(time.Duration) (sign, error)
		is    bool
		fails bool
		took  time.Duration // at least, when it is dead
	}{
		"silent":              {at: func(time.Duration) (sign, error) { return silent, nil }, is: true, took: silence},
		"lives":               {at: func(time.Duration) (sign, error) { return sign{life: heardOf, last: "a"}, nil }},
		"no Node":             {at: func(time.Duration) (sign, error) { return sign{gone: true}, nil }, is: true},
		"cannot be looked at": {at: func(time.Duration) (sign, error) { return sign{}, failed }, fails: true},
		"not seen for ten seconds": {at: func(d time.Duration) (sign, error) {
			if d > 10*time.Second && d < 20*time.Second {
				return sign{}, failed
			}
			return silent, nil
		}, is: true, took: 20*time.Second + silence},
		"speaks late": {at: func(d time.Duration) (sign, error) {
			if d > 25*time.Second {
				return sign{life: heardOf, last: "b"}, nil
			}
			return silent, nil
		}},
		// It was heard of between two looks, and then was silent again.
		"another silence": {at: func(d time.Duration) (sign, error) {
			if d > 25*time.Second {
				return sign{last: "b"}, nil
			}
			return silent, nil
		}},
		"silent late": {at: func(d time.Duration) (sign, error) {
			if d > time.Second {
				return silent, nil
			}
			return sign{life: heardOf}, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				is, why, err := dead(t.Context(), "n2", func(context.Context) (sign, error) { return c.at(time.Since(start)) }, nil)
				if is != c.is || (err != nil) != c.fails || (why == "") != (is || c.fails) {
					t.Errorf("dead: %v, %q, %v", is, why, err)
				}
				if took := time.Since(start); took < c.took || took > watching {
					t.Errorf("after %s", took)
				}
			})
		})
	}
}
