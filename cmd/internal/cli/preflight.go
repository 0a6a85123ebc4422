package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
)

func (a *app) facts() *cobra.Command {
	var format view.Format
	c := &cobra.Command{
		Use:   "facts",
		Short: "Show what the hosts are: system, clock, network, disks, listeners, leftovers",
		Long: `facts asks every host what it is, with one command each that only looks, and shows
the gist; -o json has all of it. It needs no cluster. Exit code 69: a host is away.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cluster, err := a.load()
			if err != nil {
				return err
			}
			s := provision.TakeSurvey(c.Context(), cluster, a.runOptions(nil))
			if err := a.asked(c.Context(), s); err != nil {
				return err
			}
			if err := a.view.Facts(s, format); err != nil {
				return err
			}
			return awayCode(s.Away)
		},
	}
	outputFlag(c, &format)
	return c
}

func (a *app) preflight() *cobra.Command {
	var format view.Format
	on := failOnError
	c := &cobra.Command{
		Use:   "preflight",
		Short: "Tell what on the hosts stands in the way of the cluster, before anything is touched",
		Long: `preflight asks every host what it is and tells what stands in the way: with the
measured value, what is wanted, and how to get there. apply does the same for the
hosts it would touch.

Hosts that are in no cluster yet connect to each other, to the cluster and to the
BIG-IPs on the ports they will need. Where nobody listens on one of them, a unit
drover-ports-… does, for a few seconds; it ends by itself even when drover is
killed. Above 16 such hosts, BGP is tried between each and the masters and its
neighbours in the inventory, not between all. Else preflight only looks.

What is to be borne is waived in the inventory, with a reason:

  preflight {
    waive "port-taken" {
      hosts  = ["kube-node-1"] # all without this line
      reason = "an exporter that moves away next week"
    }
  }

Exit code 0: nothing that FAILs; 1: something does; 69: a host is away, whatever was
found on the others.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cluster, err := a.load()
			if err != nil {
				return err
			}
			s, findings, err := provision.TakePreflight(c.Context(), cluster, a.runOptions(nil))
			if err := a.asked(c.Context(), s); err != nil {
				return err
			}
			if err != nil {
				return err
			}
			if err := a.view.Preflight(s, findings, format); err != nil {
				return err
			}
			switch err := awayCode(s.Away); {
			case err != nil:
				return err
			case provision.FindingsFail(findings):
				return codeError{code: exitError}
			case on == failOnWarn && provision.FindingsWarn(findings):
				return codeError{code: exitWarnings}
			}
			return nil
		},
	}
	outputFlag(c, &format)
	c.Flags().Var(&on, "fail-on", "exit with code 4 on warnings: error or warn")
	return c
}

// asked warns of hosts that could not be asked what they are.
func (a *app) asked(ctx context.Context, s provision.Survey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.view.Away("could not be asked", s.Away)
	return nil
}

// warnOfPuppet tells for what Puppet manages that an apply would write.
func (a *app) warnOfPuppet(ctx context.Context, s *provision.Session, p plan.Plan) error {
	findings, err := s.PuppetManaged(ctx, p)
	for _, f := range findings {
		switch {
		case f.Waived != "":
		case f.Severity == provision.FindingFail:
			a.view.Warn("apply would refuse this: %s: %s", f.Host, f.Text)
		default:
			a.view.Warn("%s: %s", f.Host, f.Text)
		}
	}
	return err
}

// clear tells what stands in the way of a plan, and refuses it when something does.
func (a *app) clear(ctx context.Context, s *provision.Session, p plan.Plan) error {
	findings, err := s.Preflight(ctx, p)
	if err != nil {
		return err
	}
	a.view.Findings(findings)
	if provision.FindingsFail(findings) {
		return errors.New("something stands in the way on the hosts, so nothing was touched: mend it, or waive it in the inventory with a reason (`drover preflight --help`)")
	}
	return nil
}
