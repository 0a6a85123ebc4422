package cli

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

func (a *app) ssh() *cobra.Command {
	c := &cobra.Command{
		Use:   "ssh HOST [CMD…]",
		Short: "Log in to a machine of the lab, or run a command on it",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, given []string) error {
			dir, _, err := a.open(given[0])
			if err != nil {
				return err
			}
			return become(append([]string{"ssh", "-F", dir.SSHConfig()}, given...))
		},
	}
	c.Flags().SetInterspersed(false) // what follows HOST belongs to the command
	return c
}

func (a *app) router() *cobra.Command {
	c := &cobra.Command{
		Use:     "router BIGIP [show …]",
		Short:   "Talk to a router as to a BIG-IP: its imish, or one show command",
		Example: "  drover-lab router f5-a show ip bgp summary",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, given []string) error {
			dir, m, err := a.open(given[0])
			if err != nil {
				return err
			}
			if m.Role != topology.Router {
				return fmt.Errorf("%s is a %s, not a router", m.Name, m.Role)
			}
			argv := []string{"ssh", "-F", dir.SSHConfig()}
			if len(given) == 1 {
				return become(append(argv, "-t", m.Name, "imish"))
			}
			return become(append(argv, m.Name, "imish -e "+quote(strings.Join(given[1:], " "))))
		},
	}
	c.Flags().SetInterspersed(false)
	return c
}

func (a *app) logs() *cobra.Command {
	c := &cobra.Command{
		Use:   "logs HOST [JOURNALCTL OPTION…]",
		Short: "Show a machine's journal, also of one that is off",
		Long: `logs shows a machine's journal, read from its disk: also of a machine that is
off or cut from the network. Options behind HOST go to journalctl. Of the mirror
it shows the log.`,
		Example: "  drover-lab logs kube-master-1 -u ssh -f",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, given []string) error {
			dir, m, err := a.open(given[0], topology.Mirror)
			if err != nil {
				return err
			}
			if m.Name == topology.Mirror {
				return become([]string{"cat", dir.Path("mirror", "mirror.log")})
			}
			return become(append([]string{"journalctl", "-D", dir.Machine(m.Name, "upper/var/log/journal")}, given[1:]...))
		},
	}
	c.Flags().SetInterspersed(false)
	return c
}

// open finds the lab, and in it a machine or one of the other parties that are
// taken, too.
func (a *app) open(party string, also ...string) (state.Dir, topology.Machine, error) {
	labs := a.labs()
	name, err := labs.Find(a.lab)
	if err != nil {
		return state.Dir{}, topology.Machine{}, err
	}
	dir := labs.Root.Lab(name)
	if slices.Contains(also, party) {
		return dir, topology.Machine{Name: party}, nil
	}
	m, err := labs.Machine(name, party)
	return dir, m, err
}

// become replaces this process with a program: its terminal, its signals and its
// exit code are the user's.
func become(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("%w: `drover-lab up` installs it", err)
	}
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, argv, os.Environ()))
}

// quote makes one word of s for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
