package provision

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// A stopped reset begins with no further host, and says so of each.
func TestAStoppedResetLeavesTheRest(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("somebody pressed Ctrl-C")
	u := &underWay{names: map[string]bool{}}
	if err := u.do(ctx, "n1", func() error {
		cancel(stop)
		if got := u.list(); !slices.Equal(got, []string{"n1"}) {
			t.Errorf("under way: %v", got)
		}
		return nil
	}); err != nil {
		t.Errorf("what was under way did not end: %v", err)
	}
	err := u.do(ctx, "n2", func() error { t.Error("it began after the stop"); return nil })
	var left *LeftError
	if !errors.As(err, &left) || left.Host != "n2" || !errors.Is(err, stop) || len(u.list()) > 0 {
		t.Errorf("got %v", err)
	}
}
