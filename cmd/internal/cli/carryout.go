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

	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

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
	if a.nonInteractive && !run.yes {
		switch s.Task().Verb {
		case "", provision.NodeAdd: // as the inventory says, and nobody goes
			run.yes = true
		}
	}
	held, p, err := a.settle(ctx, s, p, approved, run)
	if err != nil || held == nil {
		return orElse(err, func() error { return outcome(s, p, false) })
	}
	a.changes = true
	progress := a.view.Progress(p)
	r := held.Apply(p, progress)
	progress.Close()
	held.Release(provision.OutcomeOf(r))
	err = a.view.Report(r)
	for _, text := range s.Stayed() {
		a.view.Warn("%s", text)
	}
	if len(r.Failed()) == 0 {
		a.warnStillNamed(s)
	}
	// How the run ended counts, also where nobody reads that any more.
	if code := applied(ctx, s, p, r, run.detailed); code != nil || quiet(err) {
		return code
	}
	return err
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
	if a.nonInteractive {
		return usageError("%s: --non-interactive asks nobody, and this takes an answer: %s is one", not, flag)
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
