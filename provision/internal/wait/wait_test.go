package wait

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// notYet returns err until the given time has passed.
func notYet(d time.Duration, err error) func(context.Context) error {
	ready := time.Now().Add(d)
	return func(context.Context) error {
		if time.Now().Before(ready) {
			return err
		}
		return nil
	}
}

func TestMetAtOnceTakesNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := Condition{What: "x", Limit: time.Minute, Check: func(context.Context) error { return nil }}
		if err := For(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %s", took)
		}
	})
}

func TestMetLaterIsSeenWithinOnePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := Condition{What: "x", Limit: time.Minute, Every: time.Second,
			Check: notYet(20*time.Second, errors.New("no"))}
		if err := For(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 20*time.Second || took > 21200*time.Millisecond {
			t.Errorf("took %s, want 20 s and at most one pause more", took)
		}
	})
}

func TestFirstPausesAreShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := Condition{What: "x", Limit: time.Minute, Every: 8 * time.Second,
			Check: notYet(time.Millisecond, errors.New("no"))}
		if err := For(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 1200*time.Millisecond {
			t.Errorf("the first pause was %s of a pause of 8 s", took)
		}
	})
}

func TestTimeoutSaysWhatHowLongAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("kube-node-1 is not Ready")
		c := Condition{What: "2 nodes to be Ready", Limit: 90 * time.Second,
			Check: func(context.Context) error { return why }}
		err := For(t.Context(), c, nil)
		var timeout *TimeoutError
		if !errors.As(err, &timeout) || !errors.Is(err, why) {
			t.Fatalf("%T %v", err, err)
		}
		if got, want := err.Error(), "waited 1m30s for 2 nodes to be Ready: kube-node-1 is not Ready"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestCheckCutShortDoesNotHideWhatWasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := errors.New("connection refused")
		calls := 0
		c := Condition{What: "x", Limit: 10 * time.Second, Check: func(ctx context.Context) error {
			if calls++; calls == 1 {
				return seen
			}
			<-ctx.Done()
			return fmt.Errorf("get: %w", ctx.Err())
		}}
		if err := For(t.Context(), c, nil); !errors.Is(err, seen) {
			t.Errorf("%v", err)
		}
	})
}

func TestCheckThatNeverAnsweredIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Condition{What: "x", Limit: 10 * time.Second, Check: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		err := For(t.Context(), c, nil)
		var timeout *TimeoutError
		if !errors.As(err, &timeout) || timeout.Last == nil {
			t.Errorf("%v", err)
		}
	})
}

func TestPermanentStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, why := time.Now(), errors.New("certificate of another cluster")
		c := Condition{What: "the API", Limit: time.Minute,
			Check: func(context.Context) error { return fmt.Errorf("get: %w", Permanent(why)) }}
		err := For(t.Context(), c, nil)
		if !errors.Is(err, why) || time.Since(start) != 0 {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		if got, want := err.Error(), "waiting for the API: certificate of another cluster"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		var timeout *TimeoutError
		if errors.As(err, &timeout) {
			t.Error("a permanent error is not a timeout")
		}
	})
	if Permanent(nil) != nil {
		t.Error("Permanent(nil) is an error")
	}
}

func TestProgressIsToldOfChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := Condition{What: "x", Limit: time.Minute, Every: time.Second, Check: func(context.Context) error {
			switch s := time.Since(start); {
			case s < 5*time.Second:
				return errors.New("0 of 2")
			case s < 10*time.Second:
				return errors.New("1 of 2")
			}
			return nil
		}}
		var told []string
		if err := For(t.Context(), c, func(s string) { told = append(told, s) }); err != nil {
			t.Fatal(err)
		}
		if want := []string{"0 of 2", "1 of 2"}; !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
	})
}

func TestStoppedWorkIsNotATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("the lock was lost")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(lost) })
		c := Condition{What: "a leader", Limit: time.Minute,
			Check: func(context.Context) error { return errors.New("no leader") }}
		err := For(ctx, c, nil)
		var timeout *TimeoutError
		if errors.As(err, &timeout) || !errors.Is(err, lost) {
			t.Fatalf("%v", err)
		}
		if !strings.Contains(err.Error(), "no leader") {
			t.Errorf("does not say how it last looked: %v", err)
		}
	})
}

func TestNoLimitIsRefused(t *testing.T) {
	c := Condition{What: "x", Check: func(context.Context) error { t.Error("checked"); return nil }}
	if err := For(t.Context(), c, nil); err == nil {
		t.Error("waited without a limit")
	}
}

// Nobody connects again: what is asked over a connection that is gone is not waited
// for. One that is late is.
func TestALostConnectionEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, lost := range []bool{true, false} {
			start := time.Now()
			why := &host.UnreachableError{Host: "a", Op: "looking", Err: errors.New("cut"), Lost: lost}
			c := Condition{What: "x", Limit: time.Minute, Check: func(context.Context) error { return fmt.Errorf("asking: %w", why) }}
			err := For(t.Context(), c, nil)
			if !errors.Is(err, why) || (time.Since(start) == 0) != lost {
				t.Errorf("lost %v: %v after %s", lost, err, time.Since(start))
			}
		}
	})
}
