package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision"
)

// failOn is from which severity on a judgement is a failure.
type failOn string

const (
	failOnError failOn = "error"
	failOnWarn  failOn = "warn"
)

// String, Set and Type make failOn a flag.
func (f *failOn) String() string { return string(*f) }

func (f *failOn) Set(s string) error {
	switch v := failOn(s); v {
	case failOnError, failOnWarn:
		*f = v
		return nil
	}
	return fmt.Errorf("want %s or %s", failOnError, failOnWarn)
}

func (f *failOn) Type() string { return "severity" }

func (a *app) validate() *cobra.Command {
	var format view.Format
	on := failOnError
	c := &cobra.Command{
		Use:   "validate [DIR|FILE…]",
		Short: "Tell every mistake of an inventory, and whether the cluster can hold what it must",
		Long: `validate reads an inventory (the arguments, else --inventory) and tells every
mistake in it at once, each with its place and what to do. Then it judges
capacity as far as the inventory alone can tell: addresses, quorum, failure
domains, the BGP mesh and what the BIG-IPs hold. It touches no host.`,
		Example: "  drover validate examples/lab\n  drover validate -o json --fail-on=warn",
		Args:    args(cobra.ArbitraryArgs),
		RunE: func(_ *cobra.Command, given []string) error {
			if len(given) > 0 && len(a.inventory) > 0 {
				return usageError("the inventory is given twice: by --inventory and by %s", given[0])
			}
			if len(given) > 0 {
				a.inventory = given
			}
			v := view.Validation{}
			v.Cluster, v.Problems = a.options.Load(a.paths()...)
			if v.Cluster != nil {
				v.Problems = append(v.Problems, v.Cluster.ReadyToProvision()...)
				var notes diag.Problems
				v.Capacity, notes = provision.ValidateCapacity(v.Cluster, time.Now())
				v.Problems = append(v.Problems, notes...)
				v.Problems.Sort()
			}
			if err := a.view.Validation(v, format); err != nil {
				return err
			}
			return verdict(v, on)
		},
	}
	outputFlag(c, &format)
	c.Flags().Var(&on, "fail-on", "exit with code 4 on warnings: error or warn")
	return c
}

// verdict is validate's exit code; what it judged was shown.
func verdict(v view.Validation, on failOn) error {
	worst := provision.CapacityWorst(v.Capacity)
	switch {
	case v.Problems.HasErrors():
		return codeError{code: exitInventory}
	case worst == provision.CapacityFail:
		return codeError{code: exitCapacity}
	case on == failOnWarn && (worst == provision.CapacityWarn || len(v.Problems) > 0):
		return codeError{code: exitWarnings}
	}
	return nil
}
