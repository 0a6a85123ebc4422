package cli

import (
	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
)

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
