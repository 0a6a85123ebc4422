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

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
)

func (a *app) plan() *cobra.Command {
	var format view.Format
	var out string
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would do; changes nothing",
		Long: `plan looks at every host and at the cluster, compares them with the inventory
and shows what apply would do, with reasons, and what to enter on BIG-IPs that are
managed by hand. It only looks. Exit code 0: nothing to do; 2: there are changes.

With --out the plan is saved as well, for others to look at and for "drover apply
FILE", which does that and nothing else.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("out") && out == "" {
				return usageError("--out is empty: give the name of a file")
			}
			s, p, err := a.look(c.Context(), nil)
			if err != nil {
				return err
			}
			defer s.Close()
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
	return c
}

func (a *app) apply() *cobra.Command {
	var yes, detailed bool
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
without asking. When it is not, it tells every difference and touches nothing.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			approved, err := readApproval(given)
			if err != nil {
				return err
			}
			s, p, err := a.look(c.Context(), approved)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := approved.covers(p); err != nil {
				return err
			}
			if err := a.view.Plan(p, view.Text); err != nil {
				return err
			}
			if len(p.Pending()) == 0 {
				return outcome(s, p, false)
			}
			if err := a.clear(c.Context(), s, p); err != nil {
				return err
			}
			if err := a.confirm(c.Context(), s, yes || approved != nil); err != nil {
				return err
			}
			r := s.Apply(c.Context(), p, a.view.Progress(time.Now()))
			if err := a.view.Report(r); err != nil {
				return err
			}
			for _, o := range r.Failed() {
				if o.Err != nil && o.Kind == "failed" {
					return codeError{code: exitCode(c.Context(), o.Err)}
				}
			}
			return outcome(s, p, detailed)
		},
	}
	c.Flags().BoolVar(&yes, "auto-approve", false, "do not ask")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with code 2 when something was changed")
	return c
}

// look opens a session and plans, unless what was approved is for another
// cluster. It warns of what could not be looked at.
func (a *app) look(ctx context.Context, approved *approval) (*provision.Session, plan.Plan, error) {
	cluster, err := a.load()
	if err == nil {
		err = approved.of(cluster)
	}
	if err != nil {
		return nil, plan.Plan{}, err
	}
	s, err := provision.Open(ctx, cluster, provision.Options{})
	if err != nil {
		return nil, plan.Plan{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Away)) {
		a.view.Warn("%s is left out: %v", name, s.Away[name])
	}
	for _, w := range s.Warnings {
		a.view.Warn("%s", w)
	}
	p, err := s.Plan(ctx)
	if err != nil {
		s.Close()
		return nil, plan.Plan{}, err
	}
	return s, p, nil
}

// outcome is the exit code of a run that went well as far as it could go.
func outcome(s *provision.Session, p plan.Plan, detailed bool) error {
	if len(s.Away) > 0 {
		return codeError{code: exitCode(context.Background(), errors.Join(slices.Collect(maps.Values(s.Away))...))}
	}
	if detailed && len(p.Pending()) > 0 {
		return codeError{code: exitChanges}
	}
	return nil
}

// confirm asks the operator, by the cluster's name.
func (a *app) confirm(ctx context.Context, s *provision.Session, yes bool) error {
	if yes {
		return nil
	}
	fmt.Fprintf(a.streams.Err, "\nApply this to the cluster %q? Only its name is taken for a yes: ", s.Cluster.Name)
	answers := make(chan string, 1)
	go func() { // ends with the process's input, at the latest with the process
		line, _ := bufio.NewReader(a.streams.In).ReadString('\n')
		answers <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case answer := <-answers:
		if answer != s.Cluster.Name {
			return errors.New("not applied: the answer was not the cluster's name; --auto-approve asks nothing")
		}
	}
	return nil
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
			content, err := a.makeKubeconfig(c.Context(), cluster)
			if err != nil {
				return err
			}
			_, err = a.streams.Out.Write(content)
			return err
		},
	}
}

func (a *app) makeKubeconfig(ctx context.Context, cluster *inventory.Cluster) ([]byte, error) {
	s, err := provision.Open(ctx, cluster, provision.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Kubeconfig()
}
