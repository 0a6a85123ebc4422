package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/ask"
	"github.com/droverctl/drover/cmd/internal/redact"
	"github.com/droverctl/drover/cmd/internal/runlog"
	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/report"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// app is what every verb shares: the streams and the root command's flags.
type app struct {
	streams   Streams
	view      view.View
	inventory []string
	options   inventory.Options
	logDir    string
	secrets   redact.Cleaner
	terminal  ask.Terminal
	askSudo   bool
	// sudoPassword is what was asked for; nil when nobody was.
	sudoPassword func(context.Context) (string, error)
	log          *runlog.Log // of what works on hosts

	input   *bufio.Reader  // of answers; nil before the first
	command *cobra.Command // that was understood: what goes wrong from here on is no usage error
	args    []string       // of it
	changes bool           // it has begun to change hosts

	deadline       deadline
	nonInteractive bool // nobody is asked anything, and no host is removed
}

// Run runs drover with its arguments and returns the exit code.
func Run(ctx context.Context, args []string, s Streams) int {
	a := &app{streams: s, deadline: newDeadline()}
	a.view = view.View{Out: s.Out, Err: s.Err, Screen: view.NewScreen(s.Err, os.Getenv), Clean: a.secrets.Clean}
	ended := make(chan int, 1)
	go func() { ended <- a.run(ctx, args) }()
	select {
	case code := <-ended:
		return code
	case <-a.deadline.over: // the process ends, and with it whatever hangs
		return a.abandon(ctx)
	}
}

// abandon ends a run that did not end by its deadline. Whoever reads what it says may
// hang as well.
func (a *app) abandon(ctx context.Context) int {
	err := fmt.Errorf("%w and cut off: it did not end in time; a lock that it held is free when its lease ends; the same command goes on", &DeadlineError{a.deadline.limit})
	told := make(chan struct{})
	go func() {
		defer close(told)
		fmt.Fprintf(a.streams.Err, "drover: %v\n", err)
	}()
	select {
	case <-told:
	case <-time.After(overtime / 2):
	}
	return exitCode(ctx, err)
}

// run is Run without a look at the time.
func (a *app) run(ctx context.Context, args []string) int {
	defer func() { a.deadline.end() }()
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && a.command == nil {
		err = codeError{exitUsage, err}
	}
	if err != nil && a.command != nil {
		err = overtaken(a.command.Context(), err)
	}
	a.view.Error(err, quiet(err))
	code := exitCode(ctx, err)
	if path := a.log.Path(); err != nil && a.changes && path != "" {
		a.view.Note("log: " + path)
	}
	a.log.End(code)
	return code
}

// quiet says whether an error is an exit code and no more. Whoever closed our
// output, as head does, does not want to hear that it is closed.
func quiet(err error) bool {
	own, ok := err.(codeError)
	return ok && own.err == nil || errors.Is(err, syscall.EPIPE)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "drover",
		Short: "Kubernetes on machines that Puppet manages, behind BIG-IPs",
		Long: `drover turns a fleet of machines that Puppet manages into a Kubernetes cluster
that fits the network they already have: every component a systemd service,
Calico speaking BGP to the BIG-IPs, capacity proven before anything is touched.
What is wanted stands in an inventory: a directory of *.hcl files.`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(c *cobra.Command, given []string) error {
			a.command, a.args = c, given
			if a.askSudo && a.nonInteractive {
				return usageError("--ask-become-pass asks, and --non-interactive forbids that: write ssh { become_password = file(…) } into the inventory")
			}
			if a.nonInteractive || c.Name() == checkName { // Puppet may be who reads
				a.streams.Out, a.streams.Err = view.ASCII(a.streams.Out), view.ASCII(a.streams.Err)
				a.view.Out, a.view.Err = a.streams.Out, a.streams.Err
			}
			if takesLock(c) {
				a.view.Out = steady{to: a.streams.Out, keep: func() report.Sink { return a.view.Keep }}
			}
			return a.deadline.begin(c)
		},
	}
	root.SetIn(a.streams.In)
	root.SetOut(a.streams.Out)
	root.SetErr(a.streams.Err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: see `%s --help`", err, c.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringArrayVarP(&a.inventory, "inventory", "i", nil,
		"inventory: a directory of *.hcl and *.hcl.json files, or a file (repeatable; default $DROVER_INVENTORY, else the current directory)")
	flags.StringArrayVar(&a.options.Vars, "var", nil, "set a variable of the inventory, as in NAME=VALUE (repeatable)")
	flags.StringArrayVar(&a.options.VarFiles, "var-file", nil, "file of variables: NAME = VALUE lines, or a JSON object (repeatable)")
	a.view.Log = view.LogText
	flags.Var(&a.view.Log, "log-format", "messages on standard error: text or json (see `drover help logs`)")
	flags.StringVar(&a.logDir, "log-dir", "", "`directory` of the logs that are kept of runs, or none (default $XDG_STATE_HOME/drover/runs; see `drover help logs`)")
	flags.DurationVar(&a.deadline.limit, "deadline", 0, "when to be done at the latest, as in 40m: stop before, as SIGTERM does (default: none; of check: 1m)")
	flags.BoolVar(&a.nonInteractive, "non-interactive", false, "ask nobody anything, and remove no host; apply and node add need no --auto-approve")
	flags.BoolVarP(&a.askSudo, "ask-become-pass", "K", false, "ask on the terminal for the password that sudo wants, where the inventory has no become_password")
	root.AddCommand(
		a.validate(),
		a.facts(),
		a.preflight(),
		a.capacity(),
		a.check(),
		a.plan(),
		a.apply(),
		a.status(),
		a.reset(),
		a.kubeconfig(),
		a.history(),
		group("artifacts", "Pin what hosts install", a.artifactsLock()),
		group("etcd", "etcd, on the masters", a.etcdSnapshot()),
		group("bgp", "The BIG-IPs' side of the peering", a.bgpRender(), a.bgpStatus()),
		group("inventory", "Show an inventory as drover understands it, or format it", a.inventoryShow(), a.inventoryFmt(),
			group("import", "Write rows of hosts that something else knows", a.inventoryImport())),
		group("node", "Hosts that come, go, are replaced, or are out of service for a while",
			a.nodeAdd(), a.nodeRemove(), a.nodeReplace(), a.nodeDrain(), a.nodeCordon(), a.nodeUncordon()),
		group("lock", "Who holds the fleet's lock", a.lockShow(), a.lockBreak()),
		a.version(),
		helpExitCodes(),
		helpLogs(),
	)
	return root
}

// group is a command that only holds others. Left to itself, cobra answers a
// misspelt verb of a group with help and success.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(verbs...)
	var names []string
	for _, v := range verbs {
		names = append(names, v.Name())
	}
	slices.Sort(names)
	c.RunE = func(c *cobra.Command, given []string) error {
		what := "needs a command"
		if len(given) > 0 {
			what = fmt.Sprintf("has no command %q", given[0])
		}
		return usageError("%s %s: use one of these: %s", c.CommandPath(), what, strings.Join(names, ", "))
	}
	return c
}

// args is cobra's check with a hint at help.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := check(c, given); err != nil {
			return fmt.Errorf("%w: see `%s --help`", err, c.CommandPath())
		}
		return nil
	}
}

// outputFlag adds -o to a verb.
func outputFlag(c *cobra.Command, format *view.Format) {
	*format = view.Text
	c.Flags().VarP(format, "output", "o", "text or json")
}

// paths is where the inventory is.
func (a *app) paths() []string {
	if len(a.inventory) > 0 {
		return a.inventory
	}
	if list := filepath.SplitList(os.Getenv("DROVER_INVENTORY")); len(list) > 0 {
		return list
	}
	return []string{"."}
}

// read reads the inventory and shows warnings. What is wrong is an error of
// diag.Problems.
func (a *app) read() (*inventory.Cluster, error) {
	c, problems := a.options.Load(a.paths()...)
	if c == nil {
		return nil, problems
	}
	a.hideSecrets(c)
	a.view.Problems(problems)
	return c, nil
}

// readSilently reads it and shows no warnings.
func (a *app) readSilently() (*inventory.Cluster, error) {
	c, problems := a.options.Load(a.paths()...)
	if c == nil {
		return nil, problems
	}
	a.hideSecrets(c)
	return c, nil
}

func (a *app) hideSecrets(c *inventory.Cluster) {
	for _, secret := range c.Secrets() {
		a.secrets.Hide(secret)
	}
}

// load reads an inventory that says enough to make a cluster of it: what every
// verb that works on hosts begins with.
func (a *app) load() (*inventory.Cluster, error) {
	a.keepLog()
	c, err := a.read()
	if err != nil {
		return nil, err
	}
	if err := c.ReadyToProvision().Err(); err != nil {
		return nil, err
	}
	if a.askSudo {
		if err := a.askForSudo(a.command.Context()); err != nil {
			return nil, err
		}
	}
	return c, nil
}
