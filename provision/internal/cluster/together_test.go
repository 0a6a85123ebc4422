package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever asks gets an answer that was asked for afterwards, and a thousand who
// wait make a few questions.
func TestManyAskTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q questions
		var asked, world atomic.Int64
		ask := func(context.Context) (any, error) {
			asked.Add(1)
			seen := world.Load()
			time.Sleep(time.Second)
			return seen, nil
		}
		var all sync.WaitGroup
		for n := range 1000 {
			all.Go(func() {
				time.Sleep(time.Duration(n) * time.Millisecond)
				mine := world.Add(1)
				got, err := q.together(t.Context(), "blocks", ask)
				if err != nil || got.(int64) < mine {
					t.Errorf("told %v of %d, %v", got, mine, err)
				}
			})
		}
		all.Wait()
		if n := asked.Load(); n > 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Who gives up takes nobody else's answer away.
func TestOneGivesUpTheOthersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q questions
		ask := func(ctx context.Context) (any, error) {
			select {
			case <-time.After(time.Second):
				return "told", nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := q.together(hasty, "x", ask); err == nil {
				t.Error("it was not told, and did not wait")
			}
		})
		synctest.Wait()
		if got, err := q.together(t.Context(), "x", ask); err != nil || got != "told" {
			t.Error(got, err)
		}
		all.Wait()
	})
}
