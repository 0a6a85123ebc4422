package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

func (a *app) reset() *cobra.Command {
	var withWorkloads bool
	var confirm string
	var lock resetLock
	c := &cobra.Command{
		Use:   "reset [HOST…]",
		Short: "Remove what drover made, from the hosts named or from all",
		Long: `reset removes what drover made on the hosts named, or on all of them, and nothing
else: its units, binaries and files, etcd's and containerd's data, pods and their
logs, the API's audit log, Calico's and kube-proxy's rules, links and routes. OS
packages, files of others and running kernel settings stay. When the whole cluster
is reset, its neighbors go from the BIG-IPs that drover configures as well; the
BGP process there stays.

It shows what it would remove and asks for the cluster's name. It refuses while
workloads run there, or may run there, unless --with-workloads is given, and for a
part of the masters when etcd would lose its quorum. Before the etcd of a part of them
is taken off the others', a verified snapshot is taken on one that stays. Cut off, it is
run again and goes on. Like apply it holds the fleet's lock; where more than half of the masters
are gone for good and nobody can have it, --without-lock does without.`,
		RunE: func(c *cobra.Command, hosts []string) error {
			if err := a.unattended("resets nothing", "drover reset"); err != nil {
				return err
			}
			cluster, err := a.load()
			if err != nil {
				return err
			}
			if confirm != "" && confirm != cluster.Name {
				return usageError("--confirm=%s is not the name of the cluster, which is %q", confirm, cluster.Name)
			}
			for _, name := range hosts {
				if !slices.ContainsFunc(cluster.Hosts(), func(h inventory.Host) bool { return h.Name == name }) {
					return usageError("the inventory has no host %q: `drover inventory show` lists them", name)
				}
			}
			p := a.looking(cluster, provision.NodeTask{})
			r, err := provision.PlanReset(c.Context(), cluster, hosts, a.runOptions(p))
			p.Close()
			if err != nil {
				return err
			}
			defer r.Close()
			return a.carryOutReset(c.Context(), r, withWorkloads, confirm, lock)
		},
	}
	c.Flags().BoolVar(&withWorkloads, "with-workloads", false, "go on although workloads run there, or may")
	c.Flags().StringVar(&confirm, "confirm", "", "the cluster's `name`, given here instead of when asked for")
	c.Flags().BoolVar(&lock.without, "without-lock", false, "go on where too few masters are left to hold the fleet's lock; see that nobody else works on these hosts")
	lock.add(c)
	return c
}

// resetLock is how a reset takes the lock.
type resetLock struct {
	lockFlags
	without bool
}

func (a *app) carryOutReset(ctx context.Context, r *provision.Reset, withWorkloads bool, confirm string, lock resetLock) error {
	a.view.Away("is left as it is", r.Away)
	for _, w := range r.Warnings {
		a.view.Warn("%s", w)
	}
	if len(r.Hosts) == 0 {
		return awayCode(r.Away) // nothing was seen, which is not that nothing is there
	}
	if err := a.view.Reset(r); err != nil {
		return err
	}
	if r.Nothing() {
		if err := a.view.Line("nothing to do."); err != nil {
			return err
		}
		return awayCode(r.Away)
	}
	if err := r.Refusal(ctx, withWorkloads); err != nil {
		return err
	}
	if confirm == "" {
		if err := a.confirmName(ctx, r.Cluster, false, "Remove all this? It cannot be undone.", "not reset", "--confirm=NAME"); err != nil {
			return err
		}
	}
	held, err := r.Lock(ctx, a.lockRequest(lock.lockFlags))
	var few *provision.LockTooFewError
	switch {
	case errors.As(err, &few) && !lock.without:
		return fmt.Errorf("%w\n  fix: bring them back; if they are gone for good, --without-lock does without", err)
	case err != nil && few == nil:
		return err
	}
	a.changes = true
	start := time.Now()
	progress := a.view.Hosts("reset", r.Names())
	if held != nil {
		err = r.Run(held, progress)
	} else {
		err = r.RunUnlocked(ctx, progress)
	}
	progress.Close()
	if err != nil {
		return fmt.Errorf("%w\nnot all was removed: mend this and run it again, it goes on from here", err)
	}
	if err := a.view.Line(fmt.Sprintf("reset in %s.", time.Since(start).Round(100*time.Millisecond))); err != nil {
		return err
	}
	return awayCode(r.Away)
}
