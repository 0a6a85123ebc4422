package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
)

func (a *app) status() *cobra.Command {
	var format view.Format
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how the cluster is: components, certificates, etcd, nodes, BGP, differences",
		Long: `status looks at every host, at etcd, at the API and at the BIG-IPs that drover may
read, and tells what is well and what is not; what it cannot look at it calls not
known. It only looks. Exit code 0: all is well; 2: something is not; 69: a host is
away.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.open(c)
			if err != nil {
				return err
			}
			defer s.Close()
			status := s.Status(c.Context())
			if err := a.view.Status(status, format); err != nil {
				return err
			}
			return wellness(s, len(status.Problems) == 0)
		},
	}
	outputFlag(c, &format)
	return c
}

// open opens a session for a verb that only looks. What is away the verb tells by
// itself.
func (a *app) open(c *cobra.Command) (*provision.Session, error) {
	cluster, err := a.load()
	if err != nil {
		return nil, err
	}
	return a.openSession(c, cluster, false, provision.NodeTask{})
}

// wellness is the exit code of a look: that hosts are away outweighs what is
// wrong with those that were seen.
func wellness(s *provision.Session, well bool) error {
	if err := awayCode(s.Away); err != nil {
		return err
	}
	if !well {
		return codeError{code: exitChanges}
	}
	return nil
}

// awayCode is the exit code of hosts that were left out, after all was told.
func awayCode(away map[string]error) error {
	if len(away) == 0 {
		return nil
	}
	var errs []error
	for _, err := range away {
		errs = append(errs, err)
	}
	return codeError{code: exitCode(context.Background(), errors.Join(errs...))}
}
