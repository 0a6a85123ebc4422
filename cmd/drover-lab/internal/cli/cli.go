package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components"
	"github.com/droverctl/drover/cmd/drover-lab/internal/lab"
	"github.com/droverctl/drover/cmd/drover-lab/internal/lockfile"
	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/inventory/diag"
)

// Exit codes, the same as drover's where both have them.
const (
	exitOK        = 0
	exitError     = 1
	exitUsage     = 64
	exitInventory = 65
	exitBusy      = 75
	exitInterrupt = 130
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// app is what every verb shares: the flags of the root command.
type app struct {
	streams  Streams
	lab      string
	stateDir string
	cacheDir string
}

func (a *app) labs() lab.Labs {
	return lab.Labs{Root: state.Root(a.stateDir), Cache: a.cacheDir, Progress: a.streams.Err}
}

// usageError marks a wrong call: of a flag, an argument, a verb.
type usageError struct{ error }

// Run runs drover-lab with its arguments and returns the exit code.
func Run(ctx context.Context, args []string, s Streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return report(ctx, err, s.Err)
}

// report prints an error and chooses its exit code.
func report(ctx context.Context, err error, w io.Writer) int {
	var problems diag.Problems
	if errors.As(err, &problems) {
		if rerr := problems.Render(w); rerr != nil {
			return exitError
		}
		return exitInventory
	}
	fmt.Fprintf(w, "drover-lab: %v\n", err)
	var usage usageError
	var busy *lockfile.BusyError
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(w, "drover-lab: interrupted: `drover-lab up` goes on from here, `drover-lab down` removes what there is")
		return exitInterrupt
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &busy):
		return exitBusy
	default:
		return exitError
	}
}

func newRoot(s Streams) *cobra.Command {
	a := &app{streams: s}
	root := group(&cobra.Command{
		Use:   "drover-lab",
		Short: "Turn a drover inventory into real machines on one Linux box",
		Long: `drover-lab makes the machines of a drover inventory real, on this machine:
a systemd machine for each kube_master and kube_node, a BGP router with a client
behind it for each bigip, the network between them, and a mirror and registry
that hold all a cluster installs from.`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	})
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w: see `%s --help`", err, c.CommandPath())}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.lab, "lab", "", "which lab; needed when there are several (for up: the cluster's name)")
	flags.StringVar(&a.stateDir, "state-dir", state.DefaultRoot, "where labs live")
	flags.StringVar(&a.cacheDir, "cache-dir", defaultCache(), "where images and components are kept")
	root.AddCommand(a.up(), a.down(), a.status(), a.ssh(), a.power(), a.cut(), a.heal(), a.shape(),
		a.router(), a.logs(), a.components(), a.internal())
	return root
}

// defaultCache is where components keeps theirs; without a home it is a fixed
// place, because a lab is root's.
func defaultCache() string {
	cache, err := components.DefaultCache()
	if err != nil {
		return "/var/cache/drover-lab"
	}
	return cache.Dir
}

// group is a command that only holds others. Cobra would print its help for a
// verb it does not know and call that a success.
func group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(c *cobra.Command, given []string) error {
		if len(given) == 0 {
			return c.Help()
		}
		meant := ""
		if near := c.SuggestionsFor(given[0]); len(near) > 0 {
			meant = fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
		}
		return usageError{fmt.Errorf("%s has no command %q%s: see `%s --help`", c.CommandPath(), given[0], meant, c.CommandPath())}
	}
	return c
}

// args is one of cobra's checks of arguments, with our exit code.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := check(c, given); err != nil {
			return usageError{fmt.Errorf("%w: see `%s --help`", err, c.CommandPath())}
		}
		return nil
	}
}

// absolute is a path that keeps its meaning wherever it is read again.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
