package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
)

func (a *app) capacity() *cobra.Command {
	var format view.FormatOrHTML
	tier, on, live := tierFlag(1), failOnError, false
	var what whatIfFlags
	c := &cobra.Command{
		Use:   "capacity",
		Short: "Judge whether the cluster can hold what it must, with every check's arithmetic",
		Long: `capacity shows what the cluster has and takes: masters and nodes by failure domain,
addresses, BGP sessions and routes, room; and judges it by every check up to a tier:

  0  the inventory alone; no host is asked
  1  what the hosts are, and, where the cluster exists, what its pods ask for
  2  measurements, for some seconds a master: writes to the disk of etcd's data (200 of
     2300 bytes to a file of its own, which is gone then; not where an etcd runs, unless
     --allow-live), the way between masters (ping), clocks, and what a hypervisor takes

"drover capacity checks" is the reference of the checks. apply, node add, node remove
and node replace make those of tier 0 and 1 for what there will be, and begin nothing
when one FAILs.

What is to be borne for a while is waived in the inventory, and what is to be judged
otherwise has its threshold set:

  capacity {
    profile = "lean" # or standard, large: what masters are to have
    waive "master-memory" {
      hosts   = ["kube-master-1"] # all without this line
      reason  = "more is ordered"
      expires = "2027-01-31"
    }
    threshold "node-disk" {
      warn = 30
    }
  }

With "reservation" in that block ("gdc", "gke", "eks" or "aks": whose figures) apply has
every kubelet keep back from pods what the model says of the machine it is on, and room
is judged by that.

What would be can be asked as well; no other host is asked for it. The report says on top
what was supposed:

  --add-nodes 10 --like kube-node-1   ten more, each in the failure domain with the fewest
  --remove NAME                       without a host
  --lose DOMAIN                       its hosts are down; it counts as one that may be lost
  --workload web=120,500m,512Mi       declared besides, or instead of one of that name
  --grow 1.5                          so many times the pods declared and running

Whatever is asked, the report tells how many nodes can be added until address blocks, the
masters' profile, the mesh or a BIG-IP's max_peers or max_routes run out, and which does
first; and of each declared workload for how many more of its pods there is room.

-o json keeps to the schema that "drover capacity schema" prints; -o html is a
page to mail or to print, which needs nothing beside it. Exit code 0: nothing that FAILs;
3: something does, and is not waived; 69: else, a host is away.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, given []string) error {
			if len(given) > 0 {
				return usageError("%s has no command %q: use one of these: checks, schema", c.CommandPath(), given[0])
			}
			if live && tier < 2 {
				return usageError("--allow-live is about what is measured: it needs --tier=2")
			}
			suppose, err := what.read(c)
			if err != nil {
				return err
			}
			load := a.load
			if tier == 0 { // what no host is asked for needs no more than validate does
				load = a.read
			}
			cluster, err := load()
			if err != nil {
				return err
			}
			if err := suppose.Refused(cluster); err != nil {
				return usageError("%w", err)
			}
			r := provision.TakeCapacity(c.Context(), cluster, a.runOptions(nil), provision.CapacityTask{Tier: int(tier), Live: live, WhatIf: suppose})
			if err := c.Context().Err(); err != nil {
				return err
			}
			a.view.Away("could not be asked", r.Away)
			if err := a.showCapacity(r, format.Format); err != nil {
				return err
			}
			return capacityCode(r, on)
		},
	}
	format.Format = view.Text
	c.Flags().VarP(&format, "output", "o", "text, json or html")
	c.Flags().Var(&tier, "tier", "up to which tier: 0 (the inventory), 1 (the hosts as well) or 2 (measurements as well)")
	c.Flags().BoolVar(&live, "allow-live", false, "measure the disks of etcds that are in use as well: their commits wait meanwhile")
	what.add(c)
	c.Flags().Var(&on, "fail-on", "exit with code 4 on warnings: error or warn")
	c.AddCommand(a.capacityChecks(), a.capacitySchema())
	return c
}

func (a *app) showCapacity(r provision.CapacityReport, f view.Format) error {
	if f == view.HTML {
		return a.view.CapacityHTML(r, view.Made{At: time.Now(), Version: ownVersion()})
	}
	return a.view.Capacity(r, f)
}

func capacityCode(r provision.CapacityReport, on failOn) error {
	worst := provision.CapacityWorst(r.Checks)
	switch {
	case worst == provision.CapacityFail:
		return codeError{code: exitCapacity}
	case len(r.Away) > 0:
		return awayCode(r.Away)
	case on == failOnWarn && (worst == provision.CapacityWarn || len(r.Notes)+len(r.Warnings) > 0):
		return codeError{code: exitWarnings}
	}
	return nil
}

// holds tells what the cluster that a plan makes could not hold, and refuses the plan
// when that is something it must.
func (a *app) holds(ctx context.Context, s *provision.Session, p plan.Plan) error {
	gate, err := s.CapacityGate(ctx, p)
	if err != nil {
		return err
	}
	for _, w := range gate.Warnings {
		a.view.Warn("%s", w)
	}
	a.view.CapacityJudged(gate.Checks, gate.Notes)
	if len(gate.Stops) == 0 {
		return nil
	}
	without := ""
	if task := s.Task(); task.Verb == provision.NodeRemove || task.Verb == provision.NodePrune {
		without = "; --without-room removes nodes all the same"
	}
	return codeError{exitCapacity, fmt.Errorf("the cluster would not hold what it must, so nothing was touched: mend what FAILs, or waive it for a while in the inventory: capacity { waive %q { reason = \"…\" expires = \"2027-01-31\" } } (`drover capacity --help`)%s",
		gate.Stops[0].ID, without)}
}

// warnOfCapacity tells for what capacity would keep an apply from doing what is planned.
func (a *app) warnOfCapacity(ctx context.Context, s *provision.Session, p plan.Plan) {
	verb := "apply"
	if s.Task().Verb == provision.NodeReplace {
		verb = "node replace"
	}
	for _, c := range s.CapacityAhead(ctx, p).Stops {
		a.view.Warn("%s would refuse this: %s", verb, c)
	}
}

// tierFlag is up to which tier is judged.
type tierFlag int

func (f *tierFlag) String() string { return strconv.Itoa(int(*f)) }
func (f *tierFlag) Type() string   { return "tier" }
func (f *tierFlag) Set(s string) error {
	switch s {
	case "0", "1", "2":
		*f = tierFlag(s[0] - '0')
		return nil
	}
	return errors.New("want 0, 1 or 2")
}

func (a *app) capacitySchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of capacity -o json",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return a.view.CapacitySchema() },
	}
}

func (a *app) capacityChecks() *cobra.Command {
	var format view.Format
	c := &cobra.Command{
		Use:   "checks",
		Short: "Print the reference of all capacity checks: what each judges, its formula and its source",
		Long: `checks prints every capacity check there is: its id, which is API, the tier in which
it can be told, what it judges, by which formula and threshold, whose threshold that
is, and an example. It needs no inventory.`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return a.view.CapacityChecks(provision.CapacityReference(), format)
		},
	}
	outputFlag(c, &format)
	return c
}
