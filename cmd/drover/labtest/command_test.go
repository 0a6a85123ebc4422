package labtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// result is what a command left.
type result struct {
	args           []string
	stdout, stderr string
	code           int
	took           time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("%s: exit %d after %s\n%s%s", strings.Join(r.args, " "), r.code, r.took.Round(time.Millisecond), r.stdout, r.stderr)
}

// commandLimit is above what any command takes, a cold component cache included.
const commandLimit = 50 * time.Minute

// run runs a program to its end, whatever that is.
func run(t testing.TB, stdin, program string, args ...string) result {
	t.Helper()
	// Not the test's own context: what cleans up after the test runs, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), commandLimit)
	defer cancel()
	r, err := execute(ctx, stdin, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// execute runs a program to its end; the error is one of not getting there.
func execute(ctx context.Context, stdin, program string, args ...string) (result, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = workDir()
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	r := result{
		args: append([]string{filepath.Base(program)}, args...), stdout: out.String(), stderr: errs.String(),
		took: time.Since(start), code: cmd.ProcessState.ExitCode(),
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, fmt.Errorf("%s: %w", r, err)
	}
	return r, nil
}

// background is a program that is at work.
type background struct {
	cmd       *exec.Cmd
	out, errs lockedBuffer
	started   time.Time
	ended     chan struct{}
}

func start(t testing.TB, program string, args ...string) *background {
	t.Helper()
	b := &background{cmd: exec.Command(program, args...), started: time.Now(), ended: make(chan struct{})}
	b.cmd.Dir = workDir()
	b.cmd.Stdout, b.cmd.Stderr = &b.out, &b.errs
	b.cmd.WaitDelay = 100 * time.Millisecond
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // the exit code says it
		close(b.ended)
	}()
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill() // for when the test fails half-way
		<-b.ended
	})
	return b
}

// after sends a signal once so much time has passed; it reports false when the
// program was faster.
func (b *background) after(delay time.Duration, signal syscall.Signal) bool {
	select {
	case <-b.ended:
		return false
	case <-time.After(delay):
	}
	return b.cmd.Process.Signal(signal) == nil
}

func (b *background) result() result {
	<-b.ended
	return result{
		args: b.cmd.Args, stdout: b.out.String(), stderr: b.errs.String(),
		code: b.cmd.ProcessState.ExitCode(), took: time.Since(b.started),
	}
}

// lockedBuffer can be read while a program still writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await polls until the condition holds and fails with its last error when the
// limit is over.
func await(t testing.TB, limit time.Duration, what string, condition func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		case <-tick.C:
		}
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
