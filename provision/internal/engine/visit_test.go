package engine

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

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// visits notes who was entered and left.
type visits struct {
	mu    sync.Mutex
	notes []string
	err   error
	takes time.Duration
	was   plan.State // of all things; nil is absent
}

func (v *visits) note(what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.notes = append(v.notes, what)
}

func (v *visits) run(t interface{ Fatal(...any) }, ctx context.Context, things ...thing) report.Report {
	rs, have := map[plan.ID]resource.Resource{}, map[plan.ID]plan.State{}
	var items []plan.Item
	for _, x := range things {
		rs[x.item.ID], have[x.item.ID] = x, v.was
		items = append(items, x.item)
	}
	p, err := plan.Diff("c", items, have)
	if err != nil {
		t.Fatal(err)
	}
	e := Engine{
		Resources: rs, Sink: &sink{}, Now: time.Now, PerHost: 2, Grace: grace,
		Look: func(context.Context, string, facts.Scope) (facts.Snapshot, error) { return facts.Snapshot{}, nil },
		Enter: func(ctx context.Context, host string, waiting func(string)) error {
			v.note("enter " + host)
			waiting("somebody else")
			select {
			case <-time.After(v.takes):
				return v.err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
		Leave: func(ctx context.Context, host string) {
			if ctx.Err() != nil {
				t.Fatal("it has no time to leave " + host)
			}
			v.note("leave " + host)
		},
	}
	return e.Run(ctx, p)
}

// A host is entered once before its changes and left once after them, however they end;
// one where nothing but waiting is done is not, nor is the cluster.
func TestHostsAreEnteredAndLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := newWorld(), &visits{}
		bad := w.thing("b", "bad", time.Second)
		bad.err = errors.New("no")
		patient := w.thing("c", "patient", time.Second)
		patient.waits = true
		late := w.thing("a", "late", time.Hour)
		late.waits = true
		v.run(t, t.Context(), w.thing("a", "1", time.Second), w.thing("a", "2", time.Second), w.thing("a", "3", time.Second, id("a", "1")),
			bad, w.thing("b", "after", 0, id("b", "bad")), patient, late, w.thing(plan.ClusterHost, "object", 0))
		slices.Sort(v.notes)
		if got := fmt.Sprint(v.notes); got != "[enter a enter b leave a leave b]" {
			t.Error(got)
		}
	})
}

// A host that may not be entered is not changed, others are, and it is left all the same.
func TestAHostThatIsNotEnteredIsNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := newWorld(), &visits{err: errors.New("busy")}
		r := v.run(t, t.Context(), w.thing("a", "1", 0), w.thing("a", "2", 0), w.thing(plan.ClusterHost, "object", 0))
		if got := fmt.Sprint(v.notes); got != "[enter a leave a]" || len(w.began) != 1 {
			t.Errorf("%s, began %v", got, w.began)
		}
		for _, o := range r.Outcomes {
			if o.Change.ID.Host() == "a" && o.Kind == report.Done {
				t.Errorf("%s is done", o.Change.ID)
			}
		}
	})
}

// Whether something may be disturbed is asked again after a host had to be waited for.
func TestWhatMayBeDisturbedIsAskedAfterTheWait(t *testing.T) {
	for _, takes := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w, v := newWorld(), &visits{takes: takes, was: plan.State{"is": "old"}}
			etcd := w.thing("a", "etcd", 0)
			etcd.held, etcd.after = errors.New("without it 1 of 3 members answers"), time.Now().Add(time.Second)
			want := "a/thing:etcd done, a/thing:after done"
			if takes > 0 {
				want = "a/thing:etcd left, a/thing:after skipped"
			}
			if got := outcomes(v.run(t, t.Context(), etcd, w.thing("a", "after", 0, id("a", "etcd")))); got != want || fmt.Sprint(v.notes) != "[enter a leave a]" {
				t.Errorf("after %s: %s, %v", takes, got, v.notes)
			}
		})
	}
}

// A stop ends the wait for a host, which is left then.
func TestAStopEndsTheWaitForAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, v := newWorld(), &visits{takes: time.Hour}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer time.AfterFunc(time.Second, func() { cancel(errStop) }).Stop()
		begun := time.Now()
		r := v.run(t, ctx, w.thing("a", "1", 0), w.thing("a", "2", 0, id("a", "1")))
		if got := outcomes(r); got != "a/thing:1 cut, a/thing:2 skipped" || time.Since(begun) != time.Second || fmt.Sprint(v.notes) != "[enter a leave a]" {
			t.Errorf("%s after %s, %v", got, time.Since(begun), v.notes)
		}
	})
}

// Whatever fails and whenever it is stopped: who was entered is left, after all else.
func TestEveryVisitEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, v := newWorld(), &visits{takes: time.Second}
		var things []thing
		for i := range rapid.IntRange(1, 8).Draw(rt, "things") {
			x := w.thing(rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "host"), fmt.Sprint(i), time.Second)
			if i > 0 && rapid.Bool().Draw(rt, "needs") {
				x.item.Needs = []plan.ID{things[i-1].item.ID}
			}
			if rapid.IntRange(0, 4).Draw(rt, "fails") == 0 {
				x.err = errors.New("no")
			}
			x.waits = rapid.IntRange(0, 4).Draw(rt, "waits") == 0
			things = append(things, x)
		}
		stop := time.Duration(rapid.IntRange(0, 6000).Draw(rt, "stop")) * time.Millisecond
		synctest.Test(t, func(*testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			defer time.AfterFunc(stop, func() { cancel(errStop) }).Stop()
			v.run(rt, ctx, things...)
		})
		for _, host := range []string{"a", "b"} {
			entered, left := slices.Index(v.notes, "enter "+host), slices.Index(v.notes, "leave "+host)
			if (entered < 0) != (left < 0) || left < entered || len(v.notes) > 4 {
				rt.Fatalf("%v", v.notes)
			}
		}
	})
}
