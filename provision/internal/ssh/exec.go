package ssh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host"
)

const defaultLimit = time.Minute

// task is a command and what people are shown of it.
type task struct {
	host.Cmd
	text  string
	final bool            // it is not stopped by another one when it is given up
	hold  <-chan struct{} // when not nil, its stdin ends only after this was closed
	lead  string          // what a line of its output begins with
	line  func(string)    // when not nil, is told the rest of that line at once
	aside bool            // it waits for no place among the others
	check func() error    // when not nil, it is only sent while this is nil
}

func (c *Conn) task(cmd host.Cmd) task { return task{Cmd: cmd, text: c.redact(cmd, cmd.String())} }

func (c *Conn) redact(cmd host.Cmd, s string) string {
	if c.password != "" {
		s = strings.ReplaceAll(s, c.password, "***")
	}
	return cmd.Redact(s)
}

// Probe runs a command that only looks.
func (c *Conn) Probe(ctx context.Context, cmd host.Cmd) (host.Result, error) {
	return c.exec(ctx, c.task(cmd))
}

// Run runs a command; an exit code other than 0 is a *host.ExitError.
func (c *Conn) Run(ctx context.Context, cmd host.Cmd) (host.Result, error) {
	return c.change(ctx, c.task(cmd))
}

func (c *Conn) run(ctx context.Context, t task) (host.Result, error) {
	res, err := c.exec(ctx, t)
	if err == nil && res.Exit != 0 {
		err = &host.ExitError{Host: c.hop.Name, Cmd: t.text, Exit: res.Exit, Stderr: c.redact(t.Cmd, string(res.Stderr))}
	}
	return res, err
}

// exec runs a command and tells the trace about it.
func (c *Conn) exec(ctx context.Context, t task) (host.Result, error) {
	begin := time.Now()
	var moved traffic
	res, err := c.bounded(ctx, t, &moved)
	if c.opts.Trace != nil {
		c.opts.Trace(Trace{
			Host: c.hop.Name, Cmd: t.text, Start: begin, Took: time.Since(begin), Exit: res.Exit, Err: err,
			Sent: moved.sent.Load(), Received: moved.received.Load(),
		})
	}
	return res, err
}

// bounded runs a command until its end, its limit, or that of ctx.
func (c *Conn) bounded(ctx context.Context, t task, moved *traffic) (host.Result, error) {
	limit := t.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	op := "running " + t.text
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no end within %s: %w", limit, context.DeadlineExceeded))
	defer cancel()
	release := func() {}
	if !t.aside {
		select {
		case c.sessions <- struct{}{}:
			release = func() { <-c.sessions }
		case <-ctx.Done():
			return host.Result{}, c.unreachable(op, context.Cause(ctx))
		}
	}
	if t.check != nil { // it may have waited long for its place
		if err := t.check(); err != nil {
			release()
			return host.Result{}, fmt.Errorf("%s: %s was not begun: %w", c.hop.Name, t.text, err)
		}
	}
	c.execs.Add(1)
	p := newProcess(c.invoke(t.Argv), c.password, t.Stdin)
	p.hold, p.out.lead, p.out.line = t.hold, t.lead, t.line
	p.moved, p.out.got, p.err.got = moved, &moved.received, &moved.received
	done := make(chan error, 1)
	go func() {
		defer release()
		done <- p.run(c.link)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		p.abort()
		return host.Result{}, c.unreachable(op, c.stopped(ctx, p, t))
	}
	return c.outcome(p, t, op, err)
}

// stopLimit is how long a caller that gave up waits for the remote end to be
// stopped.
const stopLimit = 5 * time.Second

// stopped ends what is left of a command that was given up, and says whether
// that went well.
func (c *Conn) stopped(ctx context.Context, p *process, t task) error {
	cause := context.Cause(ctx)
	if t.final || c.link.why() != nil {
		return cause
	}
	last := task{Cmd: host.Cmd{Argv: []string{"sh", "-c", stop, "drover-stop", p.marker}, Limit: stopLimit}, text: "stop " + t.text, final: true}
	if _, err := c.run(context.WithoutCancel(ctx), last); err != nil {
		return fmt.Errorf("%w; it may still run there: %v", cause, err)
	}
	return fmt.Errorf("%w; it was stopped", cause)
}

// outcome tells a command that failed from one that never began and from a
// connection that was lost.
func (c *Conn) outcome(p *process, t task, op string, err error) (host.Result, error) {
	var exit *ssh.ExitError
	var full *ssh.OpenChannelError
	switch {
	case p.sendErr != nil:
		return host.Result{}, fmt.Errorf("%s: %s: reading what to send: %w", c.hop.Name, op, p.sendErr)
	case c.link.why() != nil:
		// Even an exit code does not help: sshd sends it before the last output.
		return host.Result{}, c.unreachable(op, c.link.why())
	case errors.As(err, &full):
		return host.Result{}, c.unreachable(op, fmt.Errorf("the host opens no session: %w", full))
	case err != nil && !errors.As(err, &exit):
		return host.Result{}, c.unreachable(op, fmt.Errorf("its session was cut: %w", err))
	}
	res := host.Result{Stdout: p.out.text.Bytes(), Stderr: p.err.text.Bytes()}
	if exit != nil {
		res.Exit = exit.ExitStatus()
		if s := exit.Signal(); s != "" {
			res.Stderr = fmt.Appendf(res.Stderr, "\nkilled by signal %s", s)
		}
	}
	if p.out.open {
		return res, nil
	}
	return host.Result{}, c.notRoot(c.redact(t.Cmd, strings.TrimSpace(p.err.said()+"\n"+p.out.text.String())), res.Exit)
}

// notRoot is a command that never began.
func (c *Conn) notRoot(said string, exit int) error {
	if c.hop.Become != BecomeSudo {
		return &host.AuthError{Host: c.hop.Name, Err: fmt.Errorf("the shell of %s runs no commands (exit code %d): %s", c.hop.User, exit, said),
			Fix: fmt.Sprintf("give %s a POSIX shell on the host", c.hop.User)}
	}
	if c.password != "" {
		return &host.AuthError{Host: c.hop.Name, Err: fmt.Errorf("sudo refuses %s (exit code %d): %s", c.hop.User, exit, said),
			Fix: fmt.Sprintf("`sudo -v` as %s on the host must take the password that drover was given", c.hop.User)}
	}
	return &host.AuthError{Host: c.hop.Name, Err: fmt.Errorf("sudo refuses %s without a password (exit code %d): %s", c.hop.User, exit, said),
		Fix: fmt.Sprintf("give drover the sudo password, or allow %s NOPASSWD: ALL in sudoers", c.hop.User)}
}
