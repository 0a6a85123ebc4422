package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverctl/drover/provision/report"
)

const grace = 30 * time.Second

var errStop = errors.New("somebody pressed Ctrl-C")

// stopped runs things and stops the run after a while.
func stopped(t *testing.T, after time.Duration, w *world, things ...thing) (report.Report, *sink) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer time.AfterFunc(after, func() { cancel(errStop) }).Stop()
	return execute(t, ctx, w, 4, nil, things...)
}

// What is under way when a run is stopped is brought to its end, and looked at;
// nothing begins any more, on that host or on another.
func TestAStoppedRunEndsBetweenTwoChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		start := time.Now()
		r, s := stopped(t, 1500*time.Millisecond, w,
			w.thing("a", "1", time.Second), w.thing("a", "2", 10*time.Second, id("a", "1")), w.thing("a", "3", time.Second, id("a", "2")),
			w.thing("b", "1", time.Second, id("a", "2")))
		if got, want := outcomes(r), "a/thing:1 done, a/thing:2 done, a/thing:3 skipped, b/thing:1 skipped"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if took := time.Since(start); took != 11*time.Second {
			t.Errorf("it ended after %s", took)
		}
		if r.Stopped != errStop {
			t.Errorf("stopped by %v", r.Stopped)
		}
		const says = "nothing more is started; what is under way has up to 30s to end (a second signal cuts it off at once): a/thing:2"
		var told []report.Event
		for _, e := range s.events {
			if e.Kind == report.Stopping {
				told = append(told, e)
			}
		}
		if len(told) != 1 || told[0].Text != says || told[0].Err != errStop || told[0].Time.Sub(start) != 1500*time.Millisecond {
			t.Errorf("told %+v", told)
		}
	})
}

// What does not end in time is cut off, and nobody claims to know what became of it.
func TestWhatDoesNotEndAfterAStopIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		start := time.Now()
		r, s := stopped(t, time.Second, w, w.thing("a", "1", time.Hour), w.thing("a", "2", time.Second, id("a", "1")))
		if got := outcomes(r); got != "a/thing:1 cut, a/thing:2 skipped" {
			t.Error(got)
		}
		if took := time.Since(start); took != time.Second+grace {
			t.Errorf("it ended after %s", took)
		}
		if last := s.events[len(s.events)-2]; last.Kind != report.Cut || last.Err != errStop || last.Took != time.Second+grace {
			t.Errorf("%+v", last)
		}
	})
}

// Who only waits has nothing to bring to an end.
func TestAStopEndsWaitingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		patient := w.thing("a", "1", time.Hour)
		patient.waits = true
		start := time.Now()
		r, _ := stopped(t, time.Second, w, patient)
		if got := outcomes(r); got != "a/thing:1 cut" || time.Since(start) != time.Second {
			t.Errorf("%s after %s", got, time.Since(start))
		}
	})
}

// A run that had done all when the signal came was not stopped.
func TestAStopAfterTheEndStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r, _ := stopped(t, 1500*time.Millisecond, w, w.thing("a", "1", 2*time.Second))
		if got := outcomes(r); got != "a/thing:1 done" || r.Stopped != nil {
			t.Errorf("%s, stopped by %v", got, r.Stopped)
		}
	})
}
