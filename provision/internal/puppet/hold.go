package puppet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/wait"
)

var (
	//go:embed hold.sh
	holdScript string
	//go:embed release.sh
	releaseScript string
)

// Hold is how an agent is kept from running while its host is changed.
type Hold struct {
	Run    Run
	Caller Caller
	// Wait is how long a run of the agent may take to end, For when the host enables it by
	// itself.
	Wait, For time.Duration
	// Waiting is told what is waited for; Say what the operator should know.
	Waiting, Say func(string)
}

// lookEvery is how often a host is asked whether its agent has ended.
const lookEvery = 2 * time.Second

// Take disables a host's agent, and waits until it does not run. What it says of the
// agent is for Release, also when it fails; it tells nothing where nothing was disabled:
// somebody else's reason stays as it is, and whoever has called this process is not
// disabled.
func (o Hold) Take(ctx context.Context, w host.Writer, a Agent) (Agent, error) {
	l, err := LookAt(ctx, w, a, false)
	if err != nil {
		return Agent{}, err
	}
	a = l.Agent
	if o.Caller.Is(l.State) {
		o.Say("Puppet's agent on " + w.Name() + " has called this run: it is neither waited for nor disabled")
		return Agent{}, nil
	}
	if l.Disabled && ByRun(l.Reason) == "" {
		o.Say(fmt.Sprintf("Puppet's agent on %s is disabled by somebody else, and stays so: %q", w.Name(), l.Reason))
		return Agent{}, o.idle(ctx, w, a, l.State)
	}
	if l, err = o.disable(ctx, w, a); err != nil {
		return a, err
	}
	if ByRun(l.Reason) != o.Run.ID { // somebody was faster
		o.Say(fmt.Sprintf("Puppet's agent on %s is disabled by somebody else, and stays so: %q", w.Name(), l.Reason))
	}
	if l.Untimed {
		o.Say(fmt.Sprintf("Puppet's agent on %s is disabled without a timer that would enable it, should this run be killed: the next run of drover would", w.Name()))
	}
	return a, o.idle(ctx, w, a, l.State)
}

// disable disables the agent, unless somebody else has.
func (o Hold) disable(ctx context.Context, w host.Writer, a Agent) (Look, error) {
	script := header("# drover puppet hold", [][2]string{
		{"marker", marker}, {"puppet", a.Program}, {"lock", a.RunLock}, {"disabled", a.Lock},
		{"run", o.Run.ID}, {"since", o.Run.Since.UTC().Format(time.RFC3339)}, {"message", o.Run.Reason()},
		{"note", NotePath}, {"unit", UnitPrefix}, {"seconds", strconv.Itoa(int(o.For.Seconds()))}, {"release", releaseScript},
	}) + stateScript + "drover() {\n" + holdScript + "}\ndrover\n" // whole, or not at all
	res, err := w.Run(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(script), Limit: lookLimit})
	if err != nil {
		return Look{}, fmt.Errorf("disabling Puppet's agent: %w", err)
	}
	l, err := parse(string(res.Stdout), a)
	if err == nil && !l.Disabled {
		err = errors.New("`puppet agent --disable` has disabled nothing")
	}
	if err != nil {
		return l, fmt.Errorf("%s: disabling Puppet's agent: %w", w.Name(), err)
	}
	return l, nil
}

// BusyError is an agent whose run did not end in time.
type BusyError struct {
	Host string
	Err  error
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s: Puppet's agent is at work there, and nothing was changed: %v\n  fix: look at what keeps it (`puppet agent` on the host, its log), or let drover wait longer: puppet { wait = \"30m\" }", e.Host, e.Err)
}

func (e *BusyError) Unwrap() error { return e.Err }

// idle waits until the agent does not run.
func (o Hold) idle(ctx context.Context, h host.Reader, a Agent, now State) error {
	if !now.Running() {
		return nil
	}
	err := wait.For(ctx, wait.Condition{
		What: "Puppet's agent on " + h.Name() + " to end its run", Limit: o.Wait, Every: lookEvery,
		Check: func(ctx context.Context) error {
			l, err := LookAt(ctx, h, a, false)
			if err != nil {
				return err
			}
			if l.Running() && !o.Caller.Is(l.State) {
				return fmt.Errorf("the agent of Puppet on %s runs (pid %d)", h.Name(), l.PID)
			}
			return nil
		},
	}, o.Waiting)
	var late *wait.TimeoutError
	if errors.As(err, &late) {
		return &BusyError{Host: h.Name(), Err: err}
	}
	return err
}

// Aside runs a command beside all others, under no lock: what it takes away is only this
// run's own.
type Aside interface {
	Name() string
	Aside(ctx context.Context, c host.Cmd) (host.Result, error)
}

// Release enables an agent that this run has disabled, and nobody else's.
func Release(ctx context.Context, c Aside, a Agent, run string) error {
	res, err := c.Aside(ctx, host.Cmd{Argv: []string{"sh", "-c", releaseScript, "drover-puppet-release", a.Lock, run, NotePath}})
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("%s: enabling Puppet's agent: exit code %d: %s", c.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	return err
}
