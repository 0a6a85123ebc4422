package puppet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/droverctl/drover/provision/host"
)

// machine runs scripts on this machine, with a Puppet and a systemd of the test's own and
// in directories of its own.
type machine struct {
	dir    string
	before func() // a command is run
}

func (machine) Name() string { return "node" }

func (m machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m machine) note() string { return m.path("drover/puppet.drover") }

func (m machine) run(ctx context.Context, c host.Cmd) (host.Result, error) {
	if m.before != nil {
		m.before()
	}
	own := func(s string) string { return strings.ReplaceAll(s, NotePath, m.note()) }
	argv := slices.Clone(c.Argv)
	for i := range argv {
		argv[i] = own(argv[i])
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + m.path("bin") + ":" + os.Getenv("PATH"), "DIR=" + m.dir}
	if c.Stdin != nil {
		text, err := io.ReadAll(c.Stdin)
		if err != nil {
			return host.Result{}, err
		}
		cmd.Stdin = strings.NewReader(own(string(text)))
	}
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return host.Result{Stdout: []byte(out.String()), Stderr: []byte(said.String()), Exit: cmd.ProcessState.ExitCode()}, err
}

func (m machine) Probe(ctx context.Context, c host.Cmd) (host.Result, error) { return m.run(ctx, c) }
func (m machine) Aside(ctx context.Context, c host.Cmd) (host.Result, error) { return m.run(ctx, c) }

func (m machine) Run(ctx context.Context, c host.Cmd) (host.Result, error) {
	res, err := m.run(ctx, c)
	if err == nil && res.Exit != 0 {
		err = &host.ExitError{Host: "node", Cmd: c.String(), Exit: res.Exit, Stderr: string(res.Stderr)}
	}
	return res, err
}

func (machine) WriteFile(context.Context, string, []byte, host.FileMeta) error {
	return errors.ErrUnsupported
}
func (machine) WriteFiles(context.Context, []host.File) error { return errors.ErrUnsupported }
func (machine) Upload(context.Context, string, host.Content, host.FileMeta) error {
	return errors.ErrUnsupported
}

// played is a Puppet that takes what drover asks of it and nothing else.
const played = `#!/bin/sh
state=$DIR/state
case "$*" in
"config print --section agent certname client_datadir resourcefile agent_catalog_run_lockfile agent_disabled_lockfile")
  printf 'agent_catalog_run_lockfile = %s\nagent_disabled_lockfile = %s\ncertname = node.example.net\nclient_datadir = %s\nresourcefile = %s\n' \
    "$state/agent_catalog_run.lock" "$state/agent_disabled.lock" "$DIR/client_data" "$state/resources.txt" ;;
"agent --disable "*)
  set -C
  printf '{"disabled_message":"%s"}' "$3" 2>/dev/null >"$state/agent_disabled.lock" || : ;;
*) echo "not played: $*" >&2; exit 64 ;;
esac
`

// real has the Puppet of this machine use directories of the test's own.
const real = `#!/bin/sh
exec /usr/bin/puppet "$@" --confdir "$DIR/confdir" --vardir "$DIR" --publicdir "$DIR/public"
`

// A timer is a file with what it is to run.
const systemdRun = `#!/bin/sh
[ ! -e "$DIR/no-systemd" ] || { echo "Failed to connect to bus" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
  --unit=*) unit=${1#--unit=} ;;
  --quiet | --collect | --on-active=* | --timer-property=AccuracySec=1s) ;;
  --*) echo "not played: $1" >&2; exit 64 ;;
  *) break ;;
  esac
  shift
done
[ ! -e "$DIR/timers/$unit.timer" ] || { echo "Unit $unit.timer already exists" >&2; exit 1; }
for w; do printf '%s\0' "$w"; done >"$DIR/timers/$unit.timer"
`

const systemctl = `#!/bin/sh
[ "$1" = stop ] && [ $# -eq 2 ] || { echo "not played: $*" >&2; exit 64; }
rm -f "$DIR/timers/$2"
`

func newMachine(tb interface {
	Helper()
	Fatal(...any)
}, dir, program string) machine {
	tb.Helper()
	m := machine{dir: dir}
	for _, d := range []string{"bin", "state", "timers", "client_data/catalog"} {
		if err := os.MkdirAll(m.path(d), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	for name, script := range map[string]string{"puppet": program, "systemd-run": systemdRun, "systemctl": systemctl} {
		if err := os.WriteFile(m.path("bin/"+name), []byte(script), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	return m
}

// elapse has all timers elapse.
func (m machine) elapse(ctx context.Context) error {
	names, err := filepath.Glob(m.path("timers/*"))
	for _, name := range names {
		text, rerr := os.ReadFile(name)
		argv := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		_, xerr := m.run(ctx, host.Cmd{Argv: argv})
		err = errors.Join(err, rerr, xerr, os.RemoveAll(name))
	}
	return err
}

func (m machine) agent() Agent { return Agent{Program: m.path("bin/puppet")} }

// reason is why the agent is disabled, "" when it is not.
func (m machine) reason() string {
	text, err := os.ReadFile(m.path("state/agent_disabled.lock"))
	if err != nil {
		return ""
	}
	return reason(string(text))
}

func (m machine) disable(tb testing.TB, why string) {
	tb.Helper()
	text, err := json.Marshal(map[string]string{"disabled_message": why})
	if err == nil {
		err = os.WriteFile(m.path("state/agent_disabled.lock"), text, 0o644)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// works begins a run of the agent; it ends with the process that is returned.
func (m machine) works(tb testing.TB) *exec.Cmd {
	tb.Helper()
	// The shell's name is what Puppet's processes have.
	sh := m.path("bin/puppet-agent")
	if err := os.Symlink("/bin/sleep", sh); err != nil && !errors.Is(err, os.ErrExist) {
		tb.Fatal(err)
	}
	cmd := exec.Command(sh, "600")
	err := cmd.Start()
	if err == nil {
		tb.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		err = os.WriteFile(m.path("state/agent_catalog_run.lock"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return cmd
}

func runOf(n int) Run {
	return Run{ID: fmt.Sprintf("%016x", n), Owner: `ops"@admin`, What: "drover apply", Since: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
}

func holdOf(n int, said *[]string) Hold {
	return Hold{Run: runOf(n), Wait: 10 * time.Second, For: time.Hour, Say: func(s string) { *said = append(*said, s) }}
}

// programs of Puppet that the tests are run with: the real one where it is installed.
func eachPuppet(t *testing.T, test func(t *testing.T, m machine)) {
	t.Run("played", func(t *testing.T) { test(t, newMachine(t, t.TempDir(), played)) })
	t.Run("real", func(t *testing.T) {
		if _, err := os.Stat("/usr/bin/puppet"); err != nil {
			t.Skip("the package puppet-agent is not installed")
		}
		m := newMachine(t, t.TempDir(), real)
		test(t, m)
	})
}

func TestAnAgentIsDisabledAndEnabled(t *testing.T) {
	eachPuppet(t, func(t *testing.T, m machine) {
		var said []string
		hold := holdOf(1, &said)
		a, err := hold.Take(t.Context(), m, m.agent())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.reason(), "drover run 0000000000000001: drover apply by ops_@admin, since 2026-11-29T12:00:00Z"; got != want {
			t.Errorf("disabled for\n%q, want\n%q", got, want)
		}
		note, err := os.ReadFile(m.note())
		if n := parseNote(string(note)); err != nil || n.Run != hold.Run.ID || n.Lock != m.path("state/agent_disabled.lock") {
			t.Errorf("noted %q, %v", note, err)
		}
		l, err := LookAt(t.Context(), m, a, false)
		if err != nil || !l.Disabled || ByRun(l.Reason) != hold.Run.ID || l.Running() {
			t.Errorf("%+v, %v", l, err)
		}
		if err := Release(t.Context(), m, a, hold.Run.ID); err != nil {
			t.Fatal(err)
		}
		left, _ := filepath.Glob(m.path("timers/*"))
		if _, err := os.Stat(m.path("drover")); m.reason() != "" || !os.IsNotExist(err) || len(left) > 0 || len(said) > 0 {
			t.Errorf("it is left disabled for %q, with %v and timers %v; said %q", m.reason(), err, left, said)
		}
	})
}

// Whoever else has disabled an agent finds it so, and drover does its work.
func TestSomebodyElsesReasonStays(t *testing.T) {
	for _, why := range []string{
		`maintenance of "db1", drover run 0000000000000001: no`,
		`as it was: "drover run 0000000000000001: drover apply", which I look into`,
		`see:"drover run 0000000000000001:"`,
	} {
		somebodyElsesReasonStays(t, why)
	}
}

func somebodyElsesReasonStays(t *testing.T, why string) {
	t.Helper()
	eachPuppet(t, func(t *testing.T, m machine) {
		m.disable(t, why)
		was := m.reason()
		var said []string
		a, err := holdOf(1, &said).Take(t.Context(), m, m.agent())
		if err != nil || a.Lock != "" || len(said) != 1 || !strings.Contains(said[0], "disabled by somebody else, and stays so") {
			t.Errorf("%+v, %v, said %q", a, err, said)
		}
		a.Lock = m.path("state/agent_disabled.lock")
		if err := Release(t.Context(), m, a, runOf(1).ID); err != nil || m.reason() != was {
			t.Errorf("after a release it is disabled for %q, %v", m.reason(), err)
		}
	})
}

// What a run has left that was killed is taken over by the next one, whose timer is the
// only one then.
func TestADeadRunIsTakenOver(t *testing.T) {
	eachPuppet(t, func(t *testing.T, m machine) {
		var said []string
		if _, err := holdOf(1, &said).Take(t.Context(), m, m.agent()); err != nil {
			t.Fatal(err)
		}
		a, err := holdOf(2, &said).Take(t.Context(), m, m.agent())
		timers, _ := filepath.Glob(m.path("timers/*"))
		if err != nil || ByRun(m.reason()) != runOf(2).ID || len(timers) != 1 || filepath.Base(timers[0]) != UnitPrefix+runOf(2).ID+".timer" {
			t.Errorf("%v, %q, %v", err, m.reason(), timers)
		}
		if err := Release(t.Context(), m, a, runOf(1).ID); err != nil || ByRun(m.reason()) != runOf(2).ID {
			t.Errorf("the dead run took it back: %q, %v", m.reason(), err)
		}
		if err := m.elapse(t.Context()); err != nil || m.reason() != "" {
			t.Errorf("an hour later it is disabled for %q, %v", m.reason(), err)
		}
	})
}

func TestARunningAgentIsWaitedFor(t *testing.T) {
	m := newMachine(t, t.TempDir(), played)
	agent := m.works(t)
	var said []string
	hold := holdOf(1, &said)
	waited := 0
	hold.Waiting = func(text string) {
		if waited++; text != fmt.Sprintf("the agent of Puppet on node runs (pid %d)", agent.Process.Pid) || ByRun(m.reason()) != hold.Run.ID {
			t.Errorf("%q, while it is disabled for %q", text, m.reason())
		}
		agent.Process.Kill()
		agent.Wait()
	}
	if _, err := hold.Take(t.Context(), m, m.agent()); err != nil || waited != 1 {
		t.Errorf("%v after waiting %d times", err, waited)
	}

	agent = m.works(t)
	hold.Waiting, hold.Wait = nil, 300*time.Millisecond
	a, err := hold.Take(t.Context(), m, m.agent())
	var busy *BusyError
	if !errors.As(err, &busy) || a.Lock == "" {
		t.Errorf("it runs for ever: %v, %+v", err, a)
	}
	// A process that has its number by now is not it.
	other := exec.Command("/bin/sleep", "600", "puppet")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	text := strconv.Itoa(other.Process.Pid)
	if err := os.WriteFile(m.path("state/agent_catalog_run.lock"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if l, err := LookAt(t.Context(), m, m.agent(), false); err != nil || l.Running() {
		t.Errorf("a stale lock reads as %+v, %v", l, err)
	}
}

// Whoever has called drover waits for it: no wait for him would end.
func TestTheCallerIsLeftAlone(t *testing.T) {
	m := newMachine(t, t.TempDir(), played)
	agent := m.works(t)
	parent, started, ok := stat("/proc", agent.Process.Pid)
	if !ok || parent != os.Getpid() {
		t.Fatalf("the parent of %d reads as %d", agent.Process.Pid, parent)
	}
	self := Self("/proc")
	if len(self.started) < 2 || self.started[os.Getpid()] == "" || self.started[os.Getppid()] == "" {
		t.Fatalf("%+v", self)
	}
	self.started[agent.Process.Pid] = started
	var said []string
	hold := holdOf(1, &said)
	hold.Caller = self
	a, err := hold.Take(t.Context(), m, m.agent())
	if err != nil || a.Lock != "" || m.reason() != "" || len(said) != 1 || !strings.Contains(said[0], "has called this run") {
		t.Errorf("%+v, %v; disabled for %q; said %q", a, err, m.reason(), said)
	}
	l, err := LookAt(t.Context(), m, m.agent(), false)
	if err != nil || !self.Is(l.State) {
		t.Fatalf("%+v, %v", l, err)
	}
	for what, other := range map[string]State{
		"on another machine":  {PID: l.PID, Started: l.Started, Boot: "x", Space: l.Space},
		"in another space":    {PID: l.PID, Started: l.Started, Boot: l.Boot, Space: "x"},
		"of another moment":   {PID: l.PID, Started: "1", Boot: l.Boot, Space: l.Space},
		"that does not run":   {Boot: l.Boot, Space: l.Space},
		"that nobody knows":   {PID: 1, Started: l.Started, Boot: l.Boot, Space: l.Space},
		"of unknown machines": {PID: l.PID, Started: l.Started},
	} {
		if self.Is(other) {
			t.Errorf("an agent %s is taken for the caller", what)
		}
	}
	if (Caller{}).Is(l.State) {
		t.Error("who does not know himself takes somebody for his caller")
	}
}

// An agent that is released while it is still being disabled, by a run that gave up its
// command and could not end it, does not stay disabled with nobody to enable it.
func TestAReleaseBeforeTheAgentIsDisabled(t *testing.T) {
	slow := strings.Replace(played, `  set -C
`, `  sh -c "$(cat "$DIR/release")" release "$state/agent_disabled.lock" 0000000000000001 "$DIR/drover/puppet.drover"
  set -C
`, 1)
	m := newMachine(t, t.TempDir(), slow)
	if err := os.WriteFile(m.path("release"), []byte(releaseScript), 0o644); err != nil {
		t.Fatal(err)
	}
	var said []string
	_, err := holdOf(1, &said).Take(t.Context(), m, m.agent())
	if err == nil || !strings.Contains(err.Error(), "it was released meanwhile") || m.reason() != "" {
		t.Errorf("%v; it is disabled for %q", err, m.reason())
	}
}

// Without systemd-run there is no timer, which is told.
func TestAHoldWithoutATimerIsTold(t *testing.T) {
	m := newMachine(t, t.TempDir(), played)
	if err := os.WriteFile(m.path("no-systemd"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var said []string
	if _, err := holdOf(1, &said).Take(t.Context(), m, m.agent()); err != nil || len(said) != 1 || !strings.Contains(said[0], "without a timer") {
		t.Errorf("%v, said %q", err, said)
	}
}

// A Puppet that does not say where its files are is no Puppet that does nothing.
func TestABrokenPuppetIsAnError(t *testing.T) {
	for script, want := range map[string]string{
		"#!/bin/sh\necho 'cannot load such file' >&2\nexit 1\n": "cannot load such file",
		"#!/bin/sh\nexit 0\n": "does not name its files",
	} {
		m := newMachine(t, t.TempDir(), script)
		var said []string
		if _, err := holdOf(1, &said).Take(t.Context(), m, m.agent()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	if _, err := parse(marker+"\nboot x\n", Agent{}); err == nil {
		t.Error("an answer without its end is taken")
	}
}

// Whatever comes when: when all is over no agent is disabled by drover, and what
// somebody else has done is as he left it.
func TestNoOrderOfEventsLeavesAnAgentDisabled(t *testing.T) {
	sequences := rapid.SliceOfN(rapid.SampledFrom([]string{"hold", "release", "kill", "timer", "disable", "enable"}), 2, 8)
	for seed := range 25 { // each event is a few processes
		ctx := t.Context()
		m := newMachine(t, t.TempDir(), played)
		var said []string
		lock := m.path("state/agent_disabled.lock")
		others := "" // somebody else's reason, when he has disabled it
		run := 0     // that is alive
		held := Agent{}
		events := sequences.Example(seed)
		for _, event := range events {
			switch event {
			case "hold": // by a new run, which has the lock now
				run++
				a, err := holdOf(run, &said).Take(ctx, m, m.agent())
				if err != nil {
					t.Fatal(err)
				}
				held = a
			case "release":
				if held.Lock != "" {
					if err := Release(ctx, m, held, runOf(run).ID); err != nil {
						t.Fatal(err)
					}
				}
				held = Agent{}
			case "kill":
				held = Agent{}
			case "timer":
				if err := m.elapse(ctx); err != nil {
					t.Fatal(err)
				}
			case "disable": // puppet agent --disable keeps the reason there is
				if _, err := os.Stat(lock); os.IsNotExist(err) {
					others = "hands off"
					m.disable(t, others)
				}
			case "enable": // puppet agent --enable asks nobody
				others = ""
				os.Remove(lock)
			}
			if others != "" && m.reason() != others {
				t.Fatalf("after %s, somebody else's reason is %q", event, m.reason())
			}
		}
		// The end comes in one of two ways.
		if seed%2 == 0 {
			a, err := holdOf(run+1, &said).Take(ctx, m, m.agent())
			if err == nil && a.Lock != "" {
				err = Release(ctx, m, a, runOf(run+1).ID)
			}
			if err != nil {
				t.Fatal(err)
			}
		} else if err := m.elapse(ctx); err != nil {
			t.Fatal(err)
		}
		if m.reason() != others {
			t.Fatalf("after %v it is disabled for %q, want %q", events, m.reason(), others)
		}
	}
}
