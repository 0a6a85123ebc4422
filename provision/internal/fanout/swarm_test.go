package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// world plays hosts that fetch releases from each other, each transfer in a second,
// and holds the swarm to its rules.
type world struct {
	t      *testing.T
	rotten map[string]bool // whose copies are others
	deaf   map[string]bool // whom nobody reaches
	broken map[string]bool // that fail by themselves
	mute   map[string]bool // that cannot hand on

	mu     sync.Mutex
	has    map[string]bool // "HOST RELEASE"
	giving map[string]int
	sent   map[string]int // by the origin, by release
	asked  map[string]int // of each host
	out    map[string]error
}

var errOwn = errors.New("its own disk is full")

func (w *world) fetch(host, release string) func(context.Context, Grant) (bool, error) {
	return func(_ context.Context, g Grant) (bool, error) {
		w.mu.Lock()
		w.giving[g.From]++
		if !w.broken[host] { // who is does not find out
			w.asked[g.From]++
		}
		most := 2
		if g.From == Origin {
			w.sent[release]++
		} else if !w.has[g.From+" "+release] || g.From == host {
			w.t.Errorf("%s is to have %s from %q, which does not have it", host, release, g.From)
		}
		if w.giving[g.From] > most {
			w.t.Errorf("%q serves %d at once", g.From, w.giving[g.From])
		}
		w.mu.Unlock()
		time.Sleep(time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.giving[g.From]--
		switch {
		case w.broken[host]:
			return false, errOwn
		case w.rotten[g.From]:
			return false, &Fault{Corrupt: true, Err: errors.New("wrong digest")}
		case w.deaf[g.From]:
			return false, &Fault{Err: errors.New("connection refused")}
		}
		w.has[host+" "+release] = true
		return g.Keep && !w.mute[host], nil
	}
}

// spread has hosts get releases, and returns how each ended and how long all took.
func (w *world) spread(hosts, releases []string) (map[string]error, time.Duration) {
	w.has, w.giving, w.sent, w.asked, w.out = map[string]bool{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]error{}
	wanted := map[string]int{}
	for _, r := range releases {
		wanted[r] = len(hosts)
	}
	s := NewSwarm(wanted)
	s.LeftOut = func(host string, why error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.out[host] = why
	}
	ends := map[string]error{}
	var all sync.WaitGroup
	begun := time.Now()
	for _, h := range hosts {
		for _, r := range releases {
			all.Go(func() {
				err := s.Get(w.t.Context(), h, r, w.fetch(h, r))
				w.mu.Lock()
				defer w.mu.Unlock()
				ends[h+" "+r] = err
			})
		}
	}
	all.Wait()
	if !s.Over() {
		w.t.Error("all have ended, and it is not over")
	}
	return ends, time.Since(begun)
}

func numbered(word string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint(word, i+1))
	}
	return names
}

// Eight hosts take three rounds, and the origin sends one copy.
func TestRounds(t *testing.T) {
	for hosts, seconds := range map[int]time.Duration{1: 1, 3: 2, 8: 3, 9: 3, 27: 4} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t}
			_, took := w.spread(numbered("h", hosts), []string{"kubelet"})
			if took != seconds*time.Second || w.sent["kubelet"] != 1 {
				t.Errorf("%d hosts: %s, the origin sent %d", hosts, took, w.sent["kubelet"])
			}
		})
	}
}

// Nobody hands on what nobody wants any more: the last round keeps nothing.
func TestTheLastKeepNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSwarm(map[string]int{"kubelet": 2})
		var keeps []bool
		for _, h := range []string{"a", "b"} {
			if err := s.Get(t.Context(), h, "kubelet", func(_ context.Context, g Grant) (bool, error) {
				keeps = append(keeps, g.Keep)
				return g.Keep, nil
			}); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(keeps, []bool{true, false}) {
			t.Errorf("kept: %v", keeps)
		}
	})
}

// Whatever is wrong with hosts, everybody gets everything but who fails by itself;
// nobody serves more than it may; who hands on a wrong copy is found at the first try
// and left out, and nobody who did no wrong; and with all hosts in order the origin
// sends each release once.
func TestEverybodyGetsEverything(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		hosts := numbered("h", rapid.IntRange(1, 12).Draw(r, "hosts"))
		releases := numbered("r", rapid.IntRange(1, 4).Draw(r, "releases"))
		some := func(label string) map[string]bool {
			out := map[string]bool{}
			for _, h := range hosts {
				if rapid.IntRange(0, 3).Draw(r, label+h) == 0 {
					out[h] = true
				}
			}
			return out
		}
		w := &world{}
		well := rapid.Bool().Draw(r, "well")
		if !well {
			w.rotten, w.deaf, w.broken, w.mute = some("rotten "), some("deaf "), some("broken "), some("mute ")
		}
		synctest.Test(t, func(t *testing.T) {
			w.t = t
			ends, took := w.spread(hosts, releases)
			for _, h := range hosts {
				for _, rel := range releases {
					if err := ends[h+" "+rel]; w.broken[h] != errors.Is(err, errOwn) || !w.broken[h] && (err != nil || !w.has[h+" "+rel]) {
						t.Errorf("%s, %s: %v", h, rel, err)
					}
				}
				if w.out[h] != nil && !w.rotten[h] && !w.deaf[h] {
					t.Errorf("%s was left out: %v", h, w.out[h])
				}
				// Two may be at it when the last that it takes finds out.
				if w.rotten[h] && w.asked[h] > atHolder || w.deaf[h] && w.asked[h] > faulty-1+atHolder {
					t.Errorf("%s was asked %d times", h, w.asked[h])
				}
			}
			for _, rel := range releases {
				if well && w.sent[rel] != 1 {
					t.Errorf("the origin sent %s %d times", rel, w.sent[rel])
				}
			}
			if most := time.Duration(len(hosts)*len(releases)*4) * time.Second; took > most {
				t.Errorf("it took %s", took)
			}
		})
		if t.Failed() {
			r.FailNow()
		}
	})
}

// Who waits and is stopped leaves its place, also one that it gets at that moment.
func TestStoppedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSwarm(map[string]int{"kubelet": 3})
		ctx, cancel := context.WithCancelCause(t.Context())
		hold := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			_ = s.Get(t.Context(), "a", "kubelet", func(context.Context, Grant) (bool, error) {
				<-hold
				return false, errOwn
			})
		})
		synctest.Wait()
		all.Go(func() {
			if err := s.Get(ctx, "b", "kubelet", nil); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel(context.Canceled)
		synctest.Wait()
		got := false
		all.Go(func() {
			_ = s.Get(t.Context(), "c", "kubelet", func(_ context.Context, g Grant) (bool, error) {
				got = g == Grant{}
				return false, nil
			})
		})
		synctest.Wait()
		close(hold)
		all.Wait()
		if !got || !s.Over() {
			t.Errorf("the third got it: %v; over: %v", got, s.Over())
		}
	})
}

// Who is let down wants it again, and keeps it for who has yet to come.
func TestLetDownAndStillWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSwarm(map[string]int{"kubelet": 3})
		var got []Grant
		for _, h := range []string{"a", "b"} {
			if err := s.Get(t.Context(), h, "kubelet", func(_ context.Context, g Grant) (bool, error) {
				got = append(got, g)
				if g.From == "a" {
					return false, &Fault{Corrupt: true, Err: errors.New("wrong digest")}
				}
				return g.Keep, nil
			}); err != nil {
				t.Error(err)
			}
		}
		if want := []Grant{{Origin, true}, {"a", true}, {Origin, true}}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// A place that comes at the moment at which its seeker gives up goes to another.
func TestStoppedWhenItGetsAPlace(t *testing.T) {
	for range 500 {
		s := NewSwarm(map[string]int{"kubelet": 2})
		ctx, cancel := context.WithCancel(t.Context())
		hold, begun := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			_ = s.Get(t.Context(), "a", "kubelet", func(context.Context, Grant) (bool, error) {
				close(begun)
				<-hold
				return false, errOwn
			})
		})
		<-begun
		all.Go(func() {
			_ = s.Get(ctx, "b", "kubelet", func(context.Context, Grant) (bool, error) { return false, errOwn })
		})
		all.Go(func() { close(hold) })
		all.Go(cancel)
		all.Wait()
		if s.giving[Origin] != 0 || !s.Over() {
			t.Fatalf("%d places are taken; over: %v", s.giving[Origin], s.Over())
		}
	}
}
