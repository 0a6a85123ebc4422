package cli

import (
	"os"
	"os/user"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/droverctl/drover/cmd/internal/runlog"
	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/report"
)

// keepLog begins the log of a run. That it cannot be kept is nothing to stop for.
func (a *app) keepLog() {
	if a.command == nil || a.log != nil {
		return
	}
	files, _ := inventory.Files(a.paths()...) // what is wrong with them is told when they are read
	h := runlog.Header{
		Command: strings.TrimPrefix(a.command.CommandPath(), a.command.Root().Name()+" "), Args: a.args, Flags: flagsGiven(a.command),
		Inventory: files, InventorySHA256: runlog.Digest(files), Drover: ownVersion(), SudoUser: os.Getenv("SUDO_USER"), PID: os.Getpid(),
	}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	h.Machine, _ = os.Hostname()
	log, err := runlog.Open(h, runlog.Options{
		Dir: a.logDir, Getenv: os.Getenv, Clean: a.secrets.Clean, Now: time.Now,
		Trouble: func(err error) { a.view.Warn("the log of this run: %v", err) },
	})
	if err != nil {
		a.view.Warn("no log is kept of this run: %v: give another directory with --log-dir, or none", err)
		return
	}
	a.log = log
	if log != nil {
		a.view.Keep = log
	}
}

// flagsGiven are a call's flags as NAME=VALUE. Of a variable the value stays out:
// it may be a password.
func flagsGiven(c *cobra.Command) []string {
	var out []string
	c.Flags().Visit(func(f *pflag.Flag) {
		list, ok := f.Value.(pflag.SliceValue)
		if !ok {
			out = append(out, f.Name+"="+f.Value.String())
			return
		}
		for _, one := range list.GetSlice() {
			if f.Name == "var" {
				one, _, _ = strings.Cut(one, "=")
			}
			out = append(out, f.Name+"="+one)
		}
	})
	return out
}

// runOptions are what every run over hosts is told; p, when there is one, shows the
// first look at them.
func (a *app) runOptions(p *view.Progress) provision.Options {
	o := provision.Options{Command: a.log.Command, SudoPassword: a.sudoPassword, Grace: a.deadline.grace}
	o.Warn = func(text string) { a.view.Warn("%s", text) }
	if p != nil {
		o.Sink = p
		o.Warn = func(text string) {
			p.Event(report.Event{Time: time.Now(), Kind: report.Warning, Text: text})
		}
	}
	if !a.nonInteractive && a.terminal.Present() {
		o.SSH.Passphrase = a.passphrases(p)
	}
	return o
}

// looking begins to show the first look at an inventory's hosts.
func (a *app) looking(c *inventory.Cluster, task provision.NodeTask) *view.Progress {
	var names []string
	for _, h := range c.Hosts() {
		if task.Concerns(c, h.Name) {
			names = append(names, h.Name)
		}
	}
	return a.view.Hosts("looked at", names)
}

// openSession connects to an inventory's hosts and looks at them, at every byte of
// what is installed there if it is to be verified. A task about some nodes looks at
// no other host than it has to.
func (a *app) openSession(c *cobra.Command, cluster *inventory.Cluster, verify bool, task provision.NodeTask) (*provision.Session, error) {
	p := a.looking(cluster, task)
	defer p.Close()
	o := a.runOptions(p)
	o.Verify, o.Nodes = verify, task
	collectLess(cluster)
	return provision.Open(c.Context(), cluster, o)
}

// collectLess has memory collected less often where a look brings much.
func collectLess(cluster *inventory.Cluster) {
	if n := len(cluster.Hosts()); n > large {
		debug.SetGCPercent(700)
		debug.SetMemoryLimit(int64(n) << 19)
	}
}

// large is from how many hosts on memory is collected less often: what a look at all
// of them brings stays until the end, and to go through it again and again took a
// fifth of a plan's processor time. Half a megabyte a host is more than a plan takes.
const large = 256

// helpLogs is a help topic.
func helpLogs() *cobra.Command {
	return &cobra.Command{Use: "logs", Short: "What drover tells while it works, and the logs it keeps", Long: `Data goes to standard output, messages and progress to standard error: live where
that is a terminal, as plain lines elsewhere, on a terminal with TERM=dumb too.
NO_COLOR takes the colors away.

--log-format=json makes every line of standard error a JSON object:

  schema_version  1; fields and kinds may be added within a version
  time            RFC 3339, UTC
  kind            of a change: started, waiting, done, failed, skipped (something
                  it needs failed, or the run was stopped), left (now is no time
                  to disturb it: too few others of its kind are well), cut (it
                  was under way when the run was stopped; what became of it is
                  not known);
                  of a host: host-started, host-done, host-failed;
                  of the run: stopping, note, warning, error, question
  host            the host it is about
  id, action      the change: host/kind:name, and create, update, restart, delete
  text            in words: why, what is waited for, what is done to the host
  error           what went wrong
  took_ms         of what has ended

A log of every run that works on hosts is kept in a directory that only you can
read: $XDG_STATE_HOME/drover/runs, else ~/.local/state/drover/runs, else (root
without $HOME) /var/log/drover; or what --log-dir says; "none" keeps none. The 50
newest of each command stay. Its lines are the events above, and:

  run      what was run: command, args, flags (no values of variables), inventory
           and inventory_sha256, drover, user, sudo_user, machine, pid
  command  what a host was asked to run: host, text, took_ms, exit or error, and
           how many bytes were sent and received
  end      exit_code, took_ms; a log without it is of a run that was killed

Secrets are in none of these.

The first SIGINT (Ctrl-C) or SIGTERM starts nothing more and lets what is under
way end, for up to 30 seconds; then drover says what is done, what was cut off and
what is left, and exits with 130 or 143. A second one ends it at once. --deadline does
the same when its time has come, so early that all of that is over by then.

When whoever reads standard output goes away, a run that changes hosts goes on to its
end, and its log keeps, as notes, what could not be written.`}
}
