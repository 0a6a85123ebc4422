package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// world is what the fake resources below share: which are made, and in what
// order things happened.
type world struct {
	mu     sync.Mutex
	made   map[plan.ID]bool
	began  []plan.ID
	now    map[string]int // how many with a serial word are at work
	within map[string]int // how many on a host are at work
	most   int
}

// thing is a resource that takes a while to make, and may fail or lie.
type thing struct {
	item  plan.Item
	w     *world
	takes time.Duration
	err   error
	lies  bool      // claims success, does nothing
	waits bool      // only waits for somebody else
	held  error     // why now is no time to disturb it
	after time.Time // from which on that holds
	idle  bool      // nobody is served by it as it is
	mute  *int      // how often it cannot be looked at
}

func (t thing) Idle(plan.State) bool { return t.idle }

func (t thing) Spared(context.Context, resource.World) error {
	if time.Now().Before(t.after) {
		return nil
	}
	return t.held
}

func (t thing) ChangesNothing() bool { return t.waits }

func (t thing) Item() plan.Item    { return t.item }
func (t thing) Scope() facts.Scope { return facts.Scope{} }

func (t thing) Observe(context.Context, resource.Seen) (plan.State, error) {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	if t.mute != nil && *t.mute > 0 {
		*t.mute--
		return nil, errors.New("no answer")
	}
	if t.w.made[t.item.ID] {
		return t.item.Want, nil
	}
	return nil, nil
}

func (t thing) Apply(ctx context.Context, _ resource.World, c plan.Change) error {
	t.w.mu.Lock()
	for _, id := range slices.Concat(c.Needs, c.Triggers) {
		if !t.w.made[id] {
			t.w.mu.Unlock()
			return fmt.Errorf("began before %s was made", id)
		}
	}
	t.w.began = append(t.w.began, c.ID)
	t.w.now[c.Serial]++
	t.w.within[c.ID.Host()]++
	t.w.most = max(t.w.most, t.w.within[c.ID.Host()])
	if c.Serial != "" && c.Action != plan.Create && !t.idle && t.w.now[c.Serial] > 1 {
		t.w.mu.Unlock()
		return errors.New("two at once")
	}
	t.w.mu.Unlock()
	var cut error
	select {
	case <-time.After(t.takes):
	case <-ctx.Done():
		cut = context.Cause(ctx)
	}
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	t.w.now[c.Serial]--
	t.w.within[c.ID.Host()]--
	if cut != nil {
		return cut
	}
	if t.err == nil && !t.lies {
		t.w.made[c.ID] = true
	}
	return t.err
}

type sink struct {
	mu     sync.Mutex
	events []report.Event
}

func (s *sink) Event(e report.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// execute runs things that are all absent, or for update of another state.
func execute(t interface{ Fatal(...any) }, ctx context.Context, w *world, perHost int, before plan.State, things ...thing) (report.Report, *sink) {
	rs, have := map[plan.ID]resource.Resource{}, map[plan.ID]plan.State{}
	var items []plan.Item
	for _, x := range things {
		rs[x.item.ID], have[x.item.ID] = x, before
		items = append(items, x.item)
	}
	p, err := plan.Diff("c", items, have)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	e := Engine{Resources: rs, Sink: s, Now: time.Now, PerHost: perHost, Grace: grace,
		Look: func(context.Context, string, facts.Scope) (facts.Snapshot, error) { return facts.Snapshot{}, nil }}
	return e.Run(ctx, p), s
}

func newWorld() *world {
	return &world{made: map[plan.ID]bool{}, now: map[string]int{}, within: map[string]int{}}
}

func id(host, name string) plan.ID { return plan.NewID(host, "thing", name) }

func (w *world) thing(host, name string, takes time.Duration, needs ...plan.ID) thing {
	return thing{w: w, takes: takes, item: plan.Item{ID: id(host, name), Needs: needs, Want: plan.State{"is": name}}}
}

func outcomes(r report.Report) string {
	var words []string
	for _, o := range r.Outcomes {
		words = append(words, fmt.Sprintf("%s %s", o.Change.ID, o.Kind))
	}
	return strings.Join(words, ", ")
}

func TestOneDeadHostHoldsUpOnlyWhatNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		bad := w.thing("b", "1", time.Second)
		bad.err = errors.New("no route to host")
		r, _ := execute(t, t.Context(), w, 1, nil,
			w.thing("a", "1", time.Second), w.thing("a", "2", time.Second, id("a", "1")),
			bad, w.thing("b", "2", time.Second, id("b", "1")), w.thing("b", "3", time.Second),
			w.thing("c", "1", time.Second, id("a", "2")), w.thing("c", "2", time.Second, id("b", "2")))
		// b's third thing needs nothing, but its host's chain stopped, unless it
		// was the first to begin there.
		got := strings.Replace(outcomes(r), "b/thing:3 done", "b/thing:3 skipped", 1)
		want := "a/thing:1 done, a/thing:2 done, b/thing:1 failed, b/thing:2 skipped, b/thing:3 skipped, c/thing:1 done, c/thing:2 skipped"
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// Who only waits holds up nobody: not while it waits, and not by failing.
func TestWaitingForSomebodyElseHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		patient := w.thing("a", "patient", time.Hour)
		patient.waits, patient.err = true, errors.New("nobody came")
		early := w.thing("a", "early", time.Second)
		early.waits, early.err = true, errors.New("nobody came")
		start := time.Now()
		var last time.Time
		work := []thing{patient, early, w.thing("a", "after", time.Second, id("a", "patient")), w.thing("b", "first", 2*time.Second)}
		for n := range 5 { // after the one has begun, and the other has failed
			work = append(work, w.thing("a", fmt.Sprint(n), time.Second, id("b", "first")))
		}
		r, s := execute(t, t.Context(), w, 1, nil, work...)
		want := "a/thing:patient failed, a/thing:early failed, a/thing:after skipped, b/thing:first done, " +
			"a/thing:0 done, a/thing:1 done, a/thing:2 done, a/thing:3 done, a/thing:4 done"
		if got := outcomes(r); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		for _, e := range s.events {
			if e.Kind == report.Done {
				last = e.Time
			}
		}
		if took := last.Sub(start); took != 7*time.Second {
			t.Errorf("7 s of work took %s", took)
		}
	})
}

func TestWhatDidNotBecomeAsWantedFailed(t *testing.T) {
	w := newWorld()
	liar := w.thing("a", "1", 0)
	liar.lies = true
	r, s := execute(t, t.Context(), w, 1, nil, liar, w.thing("a", "2", 0, id("a", "1")))
	if got := outcomes(r); got != "a/thing:1 failed, a/thing:2 skipped" {
		t.Error(got)
	}
	if err := r.Outcomes[0].Err; err == nil || err.Error() != "it was changed, but did not become as wanted: absent" {
		t.Error(err)
	}
	last := s.events[len(s.events)-1]
	if last.Kind != report.Skipped || last.Err.Error() != "needs a/thing:1, which was failed" {
		t.Errorf("%+v", last)
	}
}

// The cluster may be slow to answer after a change; a host that does not answer is lost.
func TestWhatCannotBeLookedAtIsAskedAgainInTheClusterAlone(t *testing.T) {
	for _, test := range []struct {
		host string
		mute int
		want string
	}{
		{plan.ClusterHost, 3, "done"},
		{plan.ClusterHost, 1000, "failed"},
		{"a", 1, "failed"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			x := w.thing(test.host, "1", 0)
			x.mute = &test.mute
			start := time.Now()
			r, _ := execute(t, t.Context(), w, 1, nil, x)
			if got, want := outcomes(r), test.host+"/thing:1 "+test.want; got != want || time.Since(start) > lookAgainLimit+time.Second {
				t.Errorf("after %s: %s, not %s: %v", time.Since(start), got, want, r.Outcomes[0].Err)
			}
		})
	}
}

func TestIndependentHostsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var things []thing
		for h := range 100 {
			host := fmt.Sprint("h", h)
			things = append(things, w.thing(host, "1", time.Second), w.thing(host, "2", time.Second, id(host, "1")))
		}
		start := time.Now()
		execute(t, t.Context(), w, 1, nil, things...)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("100 hosts with 2 s of work each took %s", took)
		}
	})
}

// A condition that is met stands between two changes: the second still waits for
// the first.
func TestAMetConditionHidesNobodyBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		first, gate, last := w.thing("a", "etcd", time.Second), w.thing("c", "quorum", 0, id("a", "etcd")), w.thing("b", "api", time.Second, id("c", "quorum"))
		rs := map[plan.ID]resource.Resource{}
		have := map[plan.ID]plan.State{gate.item.ID: gate.item.Want}
		var items []plan.Item
		for _, x := range []thing{first, gate, last} {
			rs[x.item.ID] = x
			items = append(items, x.item)
			if _, met := have[x.item.ID]; !met {
				have[x.item.ID] = plan.State{"is": "old"}
			}
		}
		w.made[gate.item.ID] = true
		p, err := plan.Diff("c", items, have)
		if err != nil {
			t.Fatal(err)
		}
		e := Engine{Resources: rs, Sink: &sink{}, Now: time.Now, PerHost: 1,
			Look: func(context.Context, string, facts.Scope) (facts.Snapshot, error) { return facts.Snapshot{}, nil }}
		start := time.Now()
		if got := outcomes(e.Run(t.Context(), p)); got != "a/thing:etcd done, b/thing:api done" {
			t.Error(got)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("both took %s, want one after the other", took)
		}
	})
}

// Whatever the graph: needs come first, no host does more than it may at once,
// and what must not be disturbed twice at once is not.
func TestOrderHoldsInAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		perHost := rapid.IntRange(1, 3).Draw(t, "per host")
		before := rapid.SampledFrom([]plan.State{nil, {"is": "old"}}).Draw(t, "before")
		var things []thing
		for n := range rapid.IntRange(1, 25).Draw(t, "things") {
			host := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "host")
			x := w.thing(host, fmt.Sprint(n), time.Duration(rapid.IntRange(0, 300).Draw(t, "µs"))*time.Microsecond)
			x.item.Serial = rapid.SampledFrom([]string{"", "etcd", "api"}).Draw(t, "serial")
			for _, earlier := range things {
				if rapid.IntRange(0, 4).Draw(t, "need") == 0 {
					x.item.Needs = append(x.item.Needs, earlier.item.ID)
				}
			}
			things = append(things, x)
		}
		r, _ := execute(t, context.Background(), w, perHost, before, things...)
		for _, o := range r.Outcomes {
			if o.Kind != report.Done {
				t.Fatalf("%s %s: %v", o.Change.ID, o.Kind, o.Err)
			}
		}
		if w.most > perHost {
			t.Fatalf("%d at once on a host, %d allowed", w.most, perHost)
		}
		if len(w.began) != len(things) || len(slices.Collect(maps.Keys(w.made))) != len(things) {
			t.Fatalf("%d of %d things were made", len(w.began), len(things))
		}
	})
}
