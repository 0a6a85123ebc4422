package cli

import (
	"github.com/spf13/cobra"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:   checkName,
		Short: "Tell by the exit code whether the cluster is as the inventory says",
		Long: `check looks at every host, in one round trip each, and at the cluster, as plan does.
It writes nothing at all, neither on the hosts nor here: no log, no file. It is for
whoever runs drover again and again, as Puppet's "unless" does.

Exit code 0, and nothing printed: all is as the inventory says. 2: something is not,
or could not be told; at most 20 lines say what, the most important first. 69: a host
is away, or had not answered when the deadline (--deadline, else 1m) came. Any other
code is an error, and the last lines say which. So whatever is not 0 calls for apply,
which looks anew.

While a live run with the same inventory holds the fleet's lock, what was seen is
half-way: check prints "not verified" and that run, and the exit code is 0. With
another inventory, or one that is not known, the run is told of and is no excuse: 2
when something differs, 75 when nothing does yet.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cluster, err := a.readSilently()
			if err != nil {
				return err
			}
			r, err := a.checkOf(c, cluster)
			if err != nil {
				return err
			}
			if err := a.view.Check(r); err != nil {
				return err
			}
			return checkCode(r)
		},
	}
}

// checkName is the verb that has a deadline also when nobody gives one.
const checkName = "check"

func (a *app) checkOf(c *cobra.Command, cluster *inventory.Cluster) (provision.CheckReport, error) {
	if err := cluster.ReadyToProvision().Err(); err != nil {
		return provision.CheckReport{}, err
	}
	if a.askSudo {
		if err := a.askForSudo(c.Context()); err != nil {
			return provision.CheckReport{}, err
		}
	}
	collectLess(cluster)
	o := a.runOptions(nil)
	o.Warn = nil // nothing is printed when all is well
	return provision.Check(c.Context(), cluster, o)
}

// checkCode is the exit code of a check that was told of.
func checkCode(r provision.CheckReport) error {
	switch {
	case r.Run != nil && r.Same:
		return nil
	case len(r.Away) > 0:
		return awayCode(r.Away)
	case !r.InSync():
		return codeError{code: exitChanges}
	case r.Run != nil:
		return codeError{code: exitBusy}
	}
	return nil
}
