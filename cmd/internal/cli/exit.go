package cli

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/host"
)

// Exit codes. They are API: documented, tested, never reused.
const (
	exitOK          = 0
	exitError       = 1
	exitChanges     = 2
	exitCapacity    = 3
	exitWarnings    = 4
	exitUsage       = 64
	exitInventory   = 65
	exitUnreachable = 69
	exitBusy        = 75
	exitAuth        = 77
	exitInterrupt   = 130
	exitTerminated  = 143
)

// exitCodes says what each means; `drover help exit-codes` shows it.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitOK, "done, or nothing to do; check: all is as the inventory says, or a live run of it is at work"},
	{exitError, "error, or something on a host stands in the way (preflight, apply), or the deadline came (--deadline)"},
	{exitChanges, "there are changes to make (check, plan, inventory fmt and import --check; apply with --detailed-exitcode), or something is not well (status, bgp status)"},
	{exitCapacity, "the cluster cannot hold what it must: a capacity check FAILs"},
	{exitWarnings, "warnings, with --fail-on=warn (validate, capacity, preflight)"},
	{exitUsage, "wrong usage"},
	{exitInventory, "the inventory is not valid, or does not fit the cluster there is"},
	{exitUnreachable, "a host is unreachable, or had not answered when the deadline came"},
	{exitBusy, "another drover holds the fleet's lock, or it was lost"},
	{exitAuth, "a host refuses us, or its host key is not the known one"},
	{exitInterrupt, "interrupted (SIGINT)"},
	{exitTerminated, "terminated (SIGTERM)"},
}

// codeError is an outcome that has an exit code of its own. Without err, all
// there is to say was said.
type codeError struct {
	code int
	err  error
}

func (e codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e codeError) Unwrap() error { return e.err }

// usageError is a wrong call: of a flag, an argument, a verb.
func usageError(format string, args ...any) error {
	return codeError{exitUsage, fmt.Errorf(format, args...)}
}

// Signal is why a context was cancelled, when a signal did it.
type Signal struct{ syscall.Signal }

func (s Signal) Error() string { return "stopped by a signal: " + s.Signal.String() }

// exitCode is what the program ends with.
func exitCode(ctx context.Context, err error) int {
	var own codeError
	var problems diag.Problems
	var unreachable *host.UnreachableError
	var auth *host.AuthError
	var unasked *provision.UnreachedMastersError
	var busy *provision.LockBusyError
	var lost *provision.LockLostError
	var signal Signal
	var late *DeadlineError
	var cut *provision.LookCutError
	switch {
	case err == nil:
		return exitOK
	case errors.As(context.Cause(ctx), &signal):
		return 128 + int(signal.Signal)
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &cut) && len(cut.Hosts) > 0 && !errors.As(err, &lost):
		return exitUnreachable
	case errors.As(err, &late):
		return exitError
	case errors.As(err, &busy), errors.As(err, &lost):
		return exitBusy
	case errors.As(err, &problems):
		return exitInventory
	case errors.As(err, &auth):
		return exitAuth
	case errors.As(err, &unreachable), errors.As(err, &unasked):
		return exitUnreachable
	}
	return exitError
}
