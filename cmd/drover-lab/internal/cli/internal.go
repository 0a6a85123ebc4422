package cli

import (
	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/drover-lab/internal/lab"
	"github.com/droverctl/drover/cmd/drover-lab/internal/machine"
)

// internal are the programs that keep a lab running. They are this binary, so
// that a lab needs no second one, and hidden: only drover-lab starts them.
func (a *app) internal() *cobra.Command {
	c := group(&cobra.Command{Use: "internal", Hidden: true, Short: "What drover-lab starts itself"})
	c.AddCommand(
		&cobra.Command{Use: "keep MACHINE", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
			labs := a.labs()
			l, m, err := labs.Load(a.lab, given[0])
			if err != nil {
				return err
			}
			return machine.Keep(c.Context(), labs.Root.Lab(a.lab), l, m)
		}},
		&cobra.Command{Use: "boot MACHINE", Args: args(cobra.ExactArgs(1)), RunE: func(_ *cobra.Command, given []string) error {
			labs := a.labs()
			l, m, err := labs.Load(a.lab, given[0])
			if err != nil {
				return err
			}
			return machine.Boot(labs.Root.Lab(a.lab), l, m)
		}},
		&cobra.Command{Use: "mirror", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
			return lab.ServeMirror(c.Context(), a.labs().Root.Lab(a.lab))
		}},
	)
	return c
}
