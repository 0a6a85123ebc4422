package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
)

func (a *app) plan() *cobra.Command {
	var format view.Format
	var out string
	var verify bool
	var prune pruneFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would do; changes nothing",
		Long: `plan looks at every host and at the cluster, compares them with the inventory
and shows what apply would do, with reasons, and what to enter on BIG-IPs that are
managed by hand. It only looks. Exit code 0: nothing to do; 2: there are changes.

Installed files are judged by their size, times and inode, as they were when what
was installed had been verified. With --verify every one is read and compared with
the digest it had then: hundreds of megabytes a host.

With --out the plan is saved as well, for others to look at and for "drover apply
FILE", which does that and nothing else.

With --prune NAME it shows what "drover apply" with the same flags would do to remove
that node or master as well, and what would keep it from doing so; with --replace NAME
what "drover node replace NAME" would do.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("out") && out == "" {
				return usageError("--out is empty: give the name of a file")
			}
			task, err := prune.task(c)
			if err != nil {
				return err
			}
			if out != "" && task.Verb == provision.NodeReplace {
				return usageError("--out saves a plan for apply, and apply replaces nobody: `drover node replace` shows its plan and asks")
			}
			s, p, err := a.look(c, nil, verify, task)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := a.warnOfObjections(c.Context(), s); err != nil {
				return err
			}
			a.warnOfCapacity(c.Context(), s, p)
			if err := a.warnOfPuppet(c.Context(), s, p); err != nil {
				return err
			}
			if out != "" {
				if err := savePlan(out, p); err != nil {
					return err
				}
			}
			if err := a.view.Plan(p, format); err != nil {
				return err
			}
			return outcome(s, p, true)
		},
	}
	outputFlag(c, &format)
	c.Flags().StringVar(&out, "out", "", "save the plan to a `file` as well, for apply")
	verifyFlag(c, &verify)
	prune.add(c)
	prune.showReplaced(c)
	return c
}

func (a *app) apply() *cobra.Command {
	var run runFlags
	var verify bool
	var prune pruneFlags
	c := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Make the hosts and the cluster as the inventory says",
		Long: `apply shows what it would do, asks, and does it: on all hosts at once, each
change as soon as what it needs is there, looking again after each. Run again
after a failure, it goes on from where it stopped. On a cluster that is as the
inventory says it does nothing and says so.

The hosts it would touch go through a preflight first, as "drover preflight" does
it: when something stands in the way on one of them, nothing is touched.

What has to be entered on a BIG-IP that is managed by hand is printed with the
plan. apply does all else, waits until the hosts see their sessions with it, for
as long as its attribute wait says, and fails when one is still missing then.

PLAN is a file that "drover plan --out" wrote. The saved plan is the approval:
apply looks anew, and when what there is to do is what the plan says, does it
without asking. When it is not, it tells every difference and touches nothing.

While it works it holds the fleet's lock, which one drover at a time has. When
somebody changed something between its look and that, it looks again, and asks
again if there is something else to do.

A host is never removed because the inventory lacks it: that takes --prune NAME, which
does besides all else what "drover node remove NAME" does.

With --non-interactive nobody is asked: what the inventory says is approved, and
nothing that would take a host out of the cluster is done.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			approved, err := readApproval(given)
			if err != nil {
				return err
			}
			task, err := prune.task(c)
			if err != nil {
				return err
			}
			s, p, err := a.look(c, approved, verify, task)
			if err != nil {
				return err
			}
			defer s.Close()
			return a.carryOut(c.Context(), s, p, approved, run)
		},
	}
	verifyFlag(c, &verify)
	run.add(c)
	prune.add(c)
	return c
}

// verifyFlag adds --verify to a verb.
func verifyFlag(c *cobra.Command, verify *bool) {
	c.Flags().BoolVar(verify, "verify", false, "read every installed file and compare it with its digest, instead of its size and times alone")
}

// look opens a session and plans, unless what was approved is for another
// cluster.
func (a *app) look(c *cobra.Command, approved *approval, verify bool, task provision.NodeTask) (*provision.Session, plan.Plan, error) {
	cluster, err := a.load()
	if err == nil {
		err = approved.of(cluster)
	}
	if err == nil {
		task, err = a.checkTask(c, cluster, task)
	}
	if err != nil {
		return nil, plan.Plan{}, err
	}
	return a.lookAt(c, cluster, verify, task)
}

// lookAt opens a session on a cluster and plans. It warns of what could not be looked
// at.
func (a *app) lookAt(c *cobra.Command, cluster *inventory.Cluster, verify bool, task provision.NodeTask) (*provision.Session, plan.Plan, error) {
	s, err := a.openSession(c, cluster, verify, task)
	if err != nil {
		return nil, plan.Plan{}, err
	}
	a.view.Away("is left out", s.Away)
	for _, w := range s.Warnings {
		a.view.Warn("%s", w)
	}
	p, err := s.Plan(c.Context())
	if err != nil {
		s.Close()
		return nil, plan.Plan{}, err
	}
	return s, p, nil
}

func (a *app) artifactsLock() *cobra.Command {
	return &cobra.Command{
		Use:   "lock",
		Short: "Fetch every release once and write its digest into the lock file",
		Long: `lock fetches every release the inventory's cluster takes, from its mirror or from
upstream, and writes their SHA-256 digests into the lock file (artifacts.lock.json
beside the inventory, unless it says otherwise). Hosts install nothing that
differs from it. Compare the digests with what the releases' makers publish: a
mirror's own word proves nothing.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cluster, err := a.load()
			if err != nil {
				return err
			}
			return provision.LockArtifacts(c.Context(), cluster, func(component, version, digest string) {
				// Standard output is for whoever compares them.
				_ = a.view.Line(fmt.Sprintf("%-26s %-8s %s", component, version, digest))
			})
		},
	}
}

func (a *app) bgpRender() *cobra.Command {
	var reveal bool
	c := &cobra.Command{
		Use:   "render BIGIP",
		Short: "Print a BIG-IP's side of the peering, ready to paste into imish",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, given []string) error {
			cluster, err := a.read()
			if err != nil {
				return err
			}
			lines, err := provision.RenderBGP(cluster, given[0], reveal)
			if err != nil {
				return usageError("%w", err)
			}
			return a.view.Line(strings.Join(lines, "\n"))
		},
	}
	c.Flags().BoolVar(&reveal, "reveal-password", false, "print the session password instead of a comment in its place")
	return c
}

func (a *app) kubeconfig() *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print a kubeconfig for the cluster's operator",
		Long: `kubeconfig prints a kubeconfig of a cluster-admin, with a certificate of its own
that is good for a year. It is a secret: write it to a file only you can read, as
in (umask 077; drover kubeconfig > ~/.kube/config).`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cluster, err := a.load()
			if err != nil {
				return err
			}
			content, err := a.makeKubeconfig(c, cluster)
			if err != nil {
				return err
			}
			_, err = a.streams.Out.Write(content)
			return err
		},
	}
}

func (a *app) makeKubeconfig(c *cobra.Command, cluster *inventory.Cluster) ([]byte, error) {
	s, err := a.openSession(c, cluster, false, provision.NodeTask{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Kubeconfig(c.Context())
}
