package gotool

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// tailLines is how much of a failed command's output its error carries.
const tailLines = 20

// CommandError is a command that failed, with the end of what it said.
type CommandError struct {
	Argv []string
	Tail []string
	Err  error
}

func (e *CommandError) Error() string {
	s := fmt.Sprintf("%s: %v", strings.Join(e.Argv, " "), e.Err)
	if len(e.Tail) > 0 {
		s += "\n\t" + strings.Join(e.Tail, "\n\t")
	}
	return s
}

func (e *CommandError) Unwrap() error { return e.Err }

type command struct {
	dir    string
	env    []string
	argv   []string
	stdout io.Writer
	line   func(string)
}

// run runs c in a process group of its own, which ends as a whole when ctx does.
func run(ctx context.Context, c command) error {
	// The kernel sends the death signal when the thread that started the child
	// ends, so the thread has to last as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout = c.dir, c.env, c.stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("%s: %w", c.argv[0], err)
	}
	if err := cmd.Start(); err != nil {
		return &CommandError{Argv: c.argv, Err: err}
	}
	tail := readLines(pipe, c.line)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", c.argv[0], context.Cause(ctx))
		}
		return &CommandError{Argv: c.argv, Tail: tail, Err: err}
	}
	return nil
}

// readLines hands each line of r to line and returns the last of them.
func readLines(r io.Reader, line func(string)) []string {
	var tail []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line != nil {
			line(lines.Text())
		}
		if tail = append(tail, lines.Text()); len(tail) > tailLines {
			tail = tail[1:]
		}
	}
	// A line too long for the scanner must not leave the writer blocked.
	_, _ = io.Copy(io.Discard, r)
	return tail
}
