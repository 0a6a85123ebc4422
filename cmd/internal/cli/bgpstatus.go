package cli

import (
	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
)

func (a *app) bgpStatus() *cobra.Command {
	var format view.Format
	c := &cobra.Command{
		Use:   "status",
		Short: "Show every BGP session from both ends, and what is wrong with it",
		Long: `status shows each session between a host and a BIG-IP as the host's BIRD sees it
and, where drover may read the BIG-IP (manage = "ssh"), as the BIG-IP sees it,
with its routes judged; elsewhere the BIG-IP's end is unverified. It only looks.
Exit code 0: all is well; 2: something is not; 69: a host is away.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.open(c)
			if err != nil {
				return err
			}
			defer s.Close()
			status := s.BGP(c.Context())
			if err := a.view.BGP(status, format); err != nil {
				return err
			}
			return wellness(s, len(status.Problems()) == 0)
		},
	}
	outputFlag(c, &format)
	return c
}
