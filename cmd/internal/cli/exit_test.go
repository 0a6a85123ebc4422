package cli

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/host"
)

func TestExitCode(t *testing.T) {
	stopped := func(s syscall.Signal) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(Signal{s})
		return ctx
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{context.Background(), nil, 0},
		{context.Background(), errors.New("x"), 1},
		{cancelled, errors.New("x"), 1},
		{context.Background(), codeError{code: exitChanges}, 2},
		{context.Background(), fmt.Errorf("wrapped: %w", usageError("x")), 64},
		{context.Background(), diag.Problems{{Summary: "x"}}, 65},
		{context.Background(), fmt.Errorf("x: %w", &host.UnreachableError{Host: "h", Err: errors.New("x")}), 69},
		{context.Background(), errors.Join(&host.UnreachableError{Host: "h", Err: errors.New("x")}, &host.AuthError{Host: "i", Err: errors.New("x")}), 77},
		// Whoever loses the lock while it looks again has lost the lock.
		{context.Background(), &provision.LookCutError{Cause: &provision.LockLostError{Why: "x"}, Hosts: []string{"h"}}, 75},
		{context.Background(), &provision.LookCutError{Cause: &DeadlineError{}, Hosts: []string{"h"}}, 69},
		{stopped(syscall.SIGINT), context.Canceled, 130},
		{stopped(syscall.SIGTERM), fmt.Errorf("x: %w", context.Canceled), 143},
		{stopped(syscall.SIGTERM), nil, 0}, // it was done before the signal could stop it
	} {
		if got := exitCode(test.ctx, test.err); got != test.want {
			t.Errorf("%v: got %d, want %d", test.err, got, test.want)
		}
	}
}
