package engine

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// The change with the longest way behind it goes first, also among those that
// are due at the very beginning.
func TestTheLongestWayGoesFirst(t *testing.T) {
	for range 20 { // who comes first is chance
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			r, _ := execute(t, t.Context(), w, 1, nil,
				w.thing("a", "short", time.Second), w.thing("a", "shorter", time.Second),
				w.thing("a", "etcd", time.Second), w.thing("a", "api", time.Second, id("a", "etcd")),
				w.thing("a", "kubelet", time.Second, id("a", "api")))
			if failed := r.Failed(); len(failed) > 0 {
				t.Fatal(failed[0].Err)
			}
			// One short one slips in while what etcd was needed for wakes up.
			if w.began[0] != id("a", "etcd") || !slices.Contains(w.began[:3], id("a", "api")) {
				t.Errorf("began in the order %v", w.began)
			}
		})
	}
}

// Whoever waits, gives up and comes back: no place is lost, none is made.
func TestNoPlaceIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		free := rapid.IntRange(1, 3).Draw(rt, "free")
		patience := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 12).Draw(rt, "patience")
		synctest.Test(t, func(*testing.T) {
			p := &places{free: free}
			for i, seconds := range patience {
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
					defer cancel()
					if p.take(ctx, i%3) == nil {
						time.Sleep(time.Second)
						p.give()
					}
				}()
			}
			time.Sleep(time.Minute)
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.free != free || len(p.waiting) > 0 {
				rt.Errorf("%d places free and %d waiting in the end, want %d and none", p.free, len(p.waiting), free)
			}
		})
	})
}
