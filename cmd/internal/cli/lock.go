package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
)

// lockFlags are how a verb that changes hosts takes the fleet's lock.
type lockFlags struct{ wait, lease time.Duration }

func (f *lockFlags) add(c *cobra.Command) {
	c.Flags().DurationVar(&f.wait, "lock-wait", 0, "how long to wait while another drover holds the fleet's lock, as in 10m (default: not at all)")
	// A run that was killed keeps others out for this long; tests do not wait so long.
	c.Flags().DurationVar(&f.lease, "lock-lease", 0, "for tests: how long the lock is good without being renewed")
	_ = c.Flags().MarkHidden("lock-lease") // it is there
}

// takesLock reports whether a verb changes hosts.
func takesLock(c *cobra.Command) bool { return c.Flags().Lookup("lock-wait") != nil }

func (a *app) lockRequest(f lockFlags) provision.LockRequest {
	return provision.LockRequest{
		Reason: a.command.CommandPath() + reasonArgs(a.args), Wait: f.wait, Lease: f.lease,
		Waiting: func(e *provision.LockBusyError) { a.view.Note("waiting for the fleet's lock: " + e.Words()) },
	}
}

// reasonArgs are a verb's arguments, as others are told of them.
func reasonArgs(args []string) string {
	text := ""
	for _, one := range args {
		text += " " + one
	}
	return text
}

func (a *app) lockShow() *cobra.Command {
	var format view.Format
	c := &cobra.Command{
		Use:   "show",
		Short: "Show who holds the fleet's lock, why, and how long it is good",
		Long: `show asks the masters who holds the fleet's lock. One drover at a time has it while
it changes hosts: on more than half of the masters. It needs no cluster and no API,
and only looks. Exit code 69: a master is away.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.askLock(c.Context())
			if err != nil {
				return err
			}
			if err := a.view.Lock(s, format); err != nil {
				return err
			}
			return awayCode(s.Away)
		},
	}
	outputFlag(c, &format)
	return c
}

// askLock asks who has the lock, and warns of masters that could not be asked.
func (a *app) askLock(ctx context.Context) (provision.LockState, error) {
	cluster, err := a.load()
	if err != nil {
		return provision.LockState{}, err
	}
	s := provision.ShowLock(ctx, cluster, a.runOptions(nil))
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	a.view.Away("could not be asked", s.Away)
	return s, nil
}

func (a *app) lockBreak() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "break",
		Short: "Take the fleet's lock from a drover that is gone for good",
		Long: `break takes the lock from whoever holds it, has every host refuse that run from now
on, ends what it still does there, and gives the lock back. The run itself, if it is
alive, stops. It asks first.

A lock need not be broken to be free: that of a drover that was killed is free when
its lease ends, two minutes at most, and at once for who runs drover on the same machine.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.askLock(c.Context())
			if err != nil {
				return err
			}
			if err := a.view.Lock(s, view.Text); err != nil {
				return err
			}
			if len(s.Masters) == 0 {
				return awayCode(s.Away)
			}
			if !s.Held && !s.Claimed() {
				return a.view.Line("nothing to break.")
			}
			if !yes {
				if err := a.unattended("breaks no lock", "drover lock break"); err != nil {
					return err
				}
			}
			if err := a.confirmName(c.Context(), s.Cluster, yes, fmt.Sprintf("Take the lock of the cluster %q from them?", s.Cluster), "not broken", "--auto-approve"); err != nil {
				return err
			}
			return a.breakLock(c.Context(), s)
		},
	}
	c.Flags().BoolVar(&yes, "auto-approve", false, "do not ask")
	return c
}

func (a *app) breakLock(ctx context.Context, s provision.LockState) error {
	cluster, err := a.read()
	if err != nil {
		return err
	}
	a.changes = true
	untold, err := provision.BreakLock(ctx, cluster, a.runOptions(nil), s)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(untold)) {
		a.view.Warn("%s could not be told to refuse that run: %v", name, untold[name])
	}
	if err := a.view.Line("the lock is free."); err != nil {
		return err
	}
	return awayCode(untold)
}

func (a *app) history() *cobra.Command {
	var format view.Format
	c := &cobra.Command{
		Use:   "history",
		Short: "Show the runs that changed something: who, when, what, how it ended",
		Long: `history shows what the masters remember of runs that held the fleet's lock: the
last two hundred. One that was killed never ended. Exit code 69: a master is away.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cluster, err := a.load()
			if err != nil {
				return err
			}
			runs, running, away := provision.History(c.Context(), cluster, a.runOptions(nil))
			if err := context.Cause(c.Context()); err != nil {
				return err
			}
			for _, name := range slices.Sorted(maps.Keys(away)) {
				a.view.Warn("%s could not be asked: %v", name, away[name])
			}
			if len(away) < len(cluster.KubeMasters) {
				if err := a.view.History(runs, running, format); err != nil {
					return err
				}
			}
			return awayCode(away)
		},
	}
	outputFlag(c, &format)
	return c
}
