package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

func (a *app) reset() *cobra.Command {
	var withWorkloads bool
	var confirm string
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
part of the masters when etcd would lose its quorum. Cut off, it is run again and
goes on.`,
		RunE: func(c *cobra.Command, hosts []string) error {
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
			r, err := provision.PlanReset(c.Context(), cluster, hosts, provision.Options{})
			if err != nil {
				return err
			}
			defer r.Close()
			return a.carryOutReset(c.Context(), r, withWorkloads, confirm)
		},
	}
	c.Flags().BoolVar(&withWorkloads, "with-workloads", false, "go on although workloads run there, or may")
	c.Flags().StringVar(&confirm, "confirm", "", "the cluster's `name`, given here instead of when asked for")
	return c
}

func (a *app) carryOutReset(ctx context.Context, r *provision.Reset, withWorkloads bool, confirm string) error {
	for _, name := range slices.Sorted(maps.Keys(r.Away)) {
		a.view.Warn("%s is left as it is: %v", name, r.Away[name])
	}
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
		if err := a.confirmReset(ctx, r); err != nil {
			return err
		}
	}
	start := time.Now()
	if err := r.Run(ctx, a.view.Progress(start)); err != nil {
		return fmt.Errorf("%w\nnot all was removed: mend this and run it again, it goes on from here", err)
	}
	if err := a.view.Line(fmt.Sprintf("reset in %s.", time.Since(start).Round(100*time.Millisecond))); err != nil {
		return err
	}
	return awayCode(r.Away)
}

// confirmReset asks the operator, by the cluster's name.
func (a *app) confirmReset(ctx context.Context, r *provision.Reset) error {
	fmt.Fprint(a.streams.Err, "\nRemove all this? It cannot be undone. Only the cluster's name is taken for a yes: ")
	answers := make(chan string, 1)
	go func() { // ends with the process's input, at the latest with the process
		line, _ := bufio.NewReader(a.streams.In).ReadString('\n')
		answers <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case answer := <-answers:
		if answer != r.Cluster {
			return errors.New("not reset: the answer was not the cluster's name; --confirm=NAME asks nothing")
		}
	}
	return nil
}
