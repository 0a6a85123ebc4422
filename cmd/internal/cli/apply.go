package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
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
that node as well, and what would keep it from doing so.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("out") && out == "" {
				return usageError("--out is empty: give the name of a file")
			}
			task, err := prune.task(c)
			if err != nil {
				return err
			}
			s, p, err := a.look(c, nil, verify, task)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := a.warnOfObjections(c.Context(), s); err != nil {
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
does besides all else what "drover node remove NAME" does.`,
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

// runFlags are how a plan is carried out.
type runFlags struct {
	yes, detailed bool
	lock          lockFlags
}

func (f *runFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.yes, "auto-approve", false, "do not ask")
	c.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with code 2 when something was changed")
	f.lock.add(c)
}

// carryOut shows a plan, asks, and does it under the lock.
func (a *app) carryOut(ctx context.Context, s *provision.Session, p plan.Plan, approved *approval, run runFlags) error {
	if err := approved.covers(p); err != nil {
		return err
	}
	held, p, err := a.settle(ctx, s, p, approved, run.yes, run.lock)
	if err != nil || held == nil {
		return orElse(err, func() error { return outcome(s, p, false) })
	}
	a.changes = true
	progress := a.view.Progress(p)
	r := held.Apply(p, progress)
	progress.Close()
	held.Release(provision.OutcomeOf(r))
	err = a.view.Report(r)
	if len(r.Failed()) == 0 {
		a.warnStillNamed(s)
	}
	// How the run ended counts, also where nobody reads that any more.
	if code := applied(ctx, s, p, r, run.detailed); code != nil || quiet(err) {
		return code
	}
	return err
}

// verifyFlag adds --verify to a verb.
func verifyFlag(c *cobra.Command, verify *bool) {
	c.Flags().BoolVar(verify, "verify", false, "read every installed file and compare it with its digest, instead of its size and times alone")
}

// settle shows the plan, asks, and takes the lock; when somebody may have changed
// something in between, it does so until what was agreed to is what there is to do.
// No lock and no error: there is nothing to do.
func (a *app) settle(ctx context.Context, s *provision.Session, p plan.Plan, approved *approval, yes bool, flags lockFlags) (*provision.Lock, plan.Plan, error) {
	var held *provision.Lock
	letGo := func() {
		if held != nil {
			held.Release(provision.OutcomeOf(report.Report{}))
		}
		held = nil
	}
	take := func() (err error) {
		if held == nil {
			held, err = s.Lock(ctx, a.lockRequest(flags))
		}
		return err
	}
	unasked := yes || approved != nil
	for {
		err := a.view.Plan(p, view.Text)
		if err == nil && len(p.Pending()) == 0 {
			letGo()
			return nil, p, nil
		}
		if err == nil && held == nil && s.Locked(ctx) {
			err = take() // what another run is at would look like something in the way
		}
		if err == nil {
			err = refusal(ctx, s)
		}
		if err == nil {
			err = a.clear(ctx, s, p)
		}
		if err == nil {
			err = a.confirm(ctx, s, unasked)
		}
		if err == nil {
			err = take()
		}
		if err != nil {
			letGo()
			return nil, p, err
		}
		if held.Fresh {
			return held, p, nil
		}
		again, same, err := lookAgain(held, s, p)
		if err == nil {
			err = approved.covers(again)
		}
		if err != nil {
			letGo()
			return nil, p, err
		}
		if p = again; same {
			return held, p, nil
		}
		a.view.Note("another run has changed something in the meantime: this is what there is to do now")
		if held.Fresh = true; !unasked {
			letGo() // nobody is kept waiting by a question
		}
	}
}

// lookAgain looks and plans anew under the lock, and tells whether that makes the
// same plan.
func lookAgain(held *provision.Lock, s *provision.Session, p plan.Plan) (again plan.Plan, same bool, err error) {
	if err := s.Again(held.Context()); err != nil {
		return p, false, err
	}
	if again, err = s.Plan(held.Context()); err != nil {
		return p, false, err
	}
	drift, err := plan.Drift(p, again)
	return again, len(drift) == 0, err
}

// orElse is an error, or what comes when there is none.
func orElse(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// applied is the exit code of a run that was told of.
func applied(ctx context.Context, s *provision.Session, p plan.Plan, r report.Report, detailed bool) error {
	if r.Stopped != nil {
		return codeError{code: exitCode(ctx, r.Stopped)}
	}
	for _, o := range r.Failed() {
		if o.Err != nil && o.Kind == report.Failed {
			return codeError{code: exitCode(ctx, o.Err)}
		}
	}
	// What was left because hosts are away is left with them.
	if len(r.Failed()) > 0 && len(s.Away) == 0 {
		return codeError{code: exitError}
	}
	return outcome(s, p, detailed)
}

// look opens a session and plans, unless what was approved is for another
// cluster.
func (a *app) look(c *cobra.Command, approved *approval, verify bool, task provision.NodeTask) (*provision.Session, plan.Plan, error) {
	cluster, err := a.load()
	if err == nil {
		err = approved.of(cluster)
	}
	if err == nil {
		err = checkTask(cluster, task)
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
	return a.confirmName(ctx, s.Cluster.Name, yes, fmt.Sprintf("Apply this to the cluster %q?", s.Cluster.Name), "not applied", "--auto-approve")
}

// confirmName asks the operator a question whose yes is the cluster's name.
func (a *app) confirmName(ctx context.Context, name string, yes bool, question, not, flag string) error {
	if yes {
		return nil
	}
	a.view.Ask(question + " Only its name is taken for a yes")
	answer, err := a.answer(ctx)
	if err == nil && answer != name {
		err = fmt.Errorf("%s: the answer was not the cluster's name; %s asks nothing", not, flag)
	}
	return err
}

// answer is the next line of the operator's.
func (a *app) answer(ctx context.Context) (string, error) {
	answers := make(chan string, 1)
	go func() { // ends with the process's input, at the latest with the process
		if a.input == nil {
			a.input = bufio.NewReader(a.streams.In) // one for all questions: it reads ahead
		}
		line, _ := a.input.ReadString('\n')
		answers <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case answer := <-answers:
		return answer, nil
	}
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
	return s.Kubeconfig()
}
