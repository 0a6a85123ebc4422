package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// Whatever the graph and whatever fails: once something failed on a host nothing
// begins there any more, what needs it is not done, and all else is.
func TestAHostsChainStopsAtItsFirstError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		var things []thing
		for n := range rapid.IntRange(1, 25).Draw(t, "things") {
			host := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "host")
			x := w.thing(host, fmt.Sprint(n), time.Duration(rapid.IntRange(0, 300).Draw(t, "µs"))*time.Microsecond)
			if rapid.IntRange(0, 5).Draw(t, "fails") == 0 {
				x.err = errors.New("it is broken")
			}
			for _, earlier := range things {
				if rapid.IntRange(0, 4).Draw(t, "need") == 0 {
					x.item.Needs = append(x.item.Needs, earlier.item.ID)
				}
			}
			things = append(things, x)
		}
		r, s := execute(t, context.Background(), w, rapid.IntRange(1, 3).Draw(t, "per host"), nil, things...)
		broken := map[string]bool{}
		for _, e := range s.events {
			switch {
			case e.Kind == report.Failed:
				broken[e.ID.Host()] = true
			case e.Kind == report.Started && broken[e.ID.Host()]:
				t.Fatalf("%s began on a host where something had failed", e.ID)
			}
		}
		ended := map[plan.ID]report.Kind{}
		for _, o := range r.Outcomes {
			ended[o.Change.ID] = o.Kind
			lacks := slices.ContainsFunc(o.Change.Needs, func(need plan.ID) bool { return ended[need] != report.Done })
			switch {
			case lacks && o.Kind != report.Skipped:
				t.Fatalf("%s was %s without what it needs", o.Change.ID, o.Kind)
			case !lacks && o.Kind == report.Skipped && !broken[o.Change.ID.Host()]:
				t.Fatalf("%s was skipped: %v", o.Change.ID, o.Err)
			}
		}
	})
}

// A bad setting of what runs on every master, one after the other, takes one down
// and not all.
func TestAfterAFailureNoSecondPlaceIsDisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		serial := func(host string) thing {
			x := w.thing(host, "api", time.Second)
			x.item.Serial = "api"
			x.err = errors.New("unknown flag")
			return x
		}
		r, s := execute(t, t.Context(), w, 1, plan.State{"is": "old"}, serial("a"), serial("b"), serial("c"),
			w.thing("a", "after", time.Second, id("a", "api")), w.thing("d", "other", time.Second))
		count := map[report.Kind]int{}
		for _, o := range r.Outcomes {
			count[o.Kind]++
		}
		if count[report.Failed] != 1 || count[report.Left] != 2 || count[report.Skipped] != 1 || count[report.Done] != 1 {
			t.Errorf("got %s", outcomes(r))
		}
		for _, e := range s.events {
			if e.Kind == report.Left && (e.Err == nil || e.Err.Error() != string(w.began[firstOf(w.began, "api")])+" failed, and is not done in a second place") {
				t.Errorf("%s was left because %v", e.ID, e.Err)
			}
		}
	})
}

// What serves nobody is changed everywhere at once, be it that each needs the others
// to come up, as the etcds of a cluster whose beginning was killed; and one that fails
// keeps no other from it.
func TestWhatServesNobodyIsChangedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var etcds []thing
		for _, host := range []string{"a", "b", "c"} {
			x := w.thing(host, "etcd", time.Minute)
			x.item.Serial, x.idle, x.held = "etcd", true, errors.New("0 of 3 members answer")
			etcds = append(etcds, x)
		}
		etcds[0].err, etcds[0].takes = errors.New("its disk is broken"), time.Second
		begun := time.Now()
		r, _ := execute(t, t.Context(), w, 1, plan.State{"is": "old"}, etcds...)
		if got := outcomes(r); got != "a/thing:etcd failed, b/thing:etcd done, c/thing:etcd done" || time.Since(begun) > time.Minute {
			t.Errorf("%s after %s", got, time.Since(begun))
		}
	})
}

func firstOf(ids []plan.ID, name string) int {
	return slices.IndexFunc(ids, func(i plan.ID) bool { return i == id(i.Host(), name) })
}

// What must not be disturbed now is left, with what needs it; the rest of its host
// is done, and what only came after it because of a condition that is met.
func TestWhatMustNotBeDisturbedIsLeft(t *testing.T) {
	w := newWorld()
	etcd, gate := w.thing("a", "etcd", 0), w.thing("cluster", "quorum", 0, id("a", "etcd"))
	etcd.held = errors.New("without it 1 of 3 members answers")
	rs, have := map[plan.ID]resource.Resource{}, map[plan.ID]plan.State{}
	var items []plan.Item
	for _, x := range []thing{
		etcd, gate, w.thing("a", "needs etcd", 0, id("a", "etcd")), w.thing("b", "needs that", 0, id("a", "needs etcd")),
		w.thing("a", "kubelet", 0, id("cluster", "quorum")), w.thing("b", "kubelet", 0, id("cluster", "quorum")), w.thing("a", "other", 0),
	} {
		rs[x.item.ID], have[x.item.ID] = x, plan.State{"is": "old"}
		items = append(items, x.item)
	}
	have[gate.item.ID], w.made[gate.item.ID] = gate.item.Want, true
	run := func(have map[plan.ID]plan.State) string {
		p, err := plan.Diff("c", items, have)
		if err != nil {
			t.Fatal(err)
		}
		e := Engine{Resources: rs, Sink: &sink{}, Now: time.Now, PerHost: 2,
			Look: func(context.Context, string, facts.Scope) (facts.Snapshot, error) { return facts.Snapshot{}, nil }}
		return outcomes(e.Run(t.Context(), p))
	}
	const want = "a/thing:etcd left, a/thing:needs etcd skipped, b/thing:needs that skipped, " +
		"a/thing:kubelet done, b/thing:kubelet done, a/thing:other done"
	if got := run(have); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// One that is not there yet disturbs nobody.
	have[etcd.item.ID] = nil
	w.made = map[plan.ID]bool{gate.item.ID: true}
	if got := run(have); got[:len("a/thing:etcd done")] != "a/thing:etcd done" {
		t.Errorf("one that is made: %s", got)
	}
}
