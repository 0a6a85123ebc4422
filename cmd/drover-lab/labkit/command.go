package labkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Result is what a command left.
type Result struct {
	Args           []string
	Stdout, Stderr string
	Code           int
	Took           time.Duration
}

func (r Result) String() string {
	return fmt.Sprintf("%s: exit %d after %s\n%s%s", strings.Join(r.Args, " "), r.Code, r.Took.Round(time.Millisecond), r.Stdout, r.Stderr)
}

func resultOf(cmd *exec.Cmd, out, errs fmt.Stringer, took time.Duration) Result {
	return Result{
		Args:   append([]string{filepath.Base(cmd.Path)}, cmd.Args[1:]...),
		Stdout: out.String(), Stderr: errs.String(), Code: cmd.ProcessState.ExitCode(), Took: took,
	}
}

// Limit is above what any command takes, a cold component cache included.
const Limit = 50 * time.Minute

// Command is a program with the suite's directories, not started.
func Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+TempDir())
	cmd.Dir = WorkDir()
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Run runs a program to its end, whatever that is.
func Run(t testing.TB, stdin, program string, args ...string) Result {
	t.Helper()
	// Not the test's own context: what cleans up after the test runs, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit)
	defer cancel()
	cmd := Command(ctx, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	r, err := Execute(cmd)
	if err != nil {
		t.Error(err)
	}
	return r
}

// Execute runs a command to its end; the error is one of not getting there.
func Execute(cmd *exec.Cmd) (Result, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	r := resultOf(cmd, &out, &errs, time.Since(start))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, fmt.Errorf("%s: %w", r, err)
	}
	return r, nil
}

// Background is a program that is at work.
type Background struct {
	Stdout, Stderr Output
	Ended          <-chan struct{}

	cmd     *exec.Cmd
	started time.Time
}

// Start starts a program; it does not outlive the test.
func Start(t testing.TB, program string, args ...string) *Background {
	t.Helper()
	ended := make(chan struct{})
	b := &Background{cmd: Command(context.WithoutCancel(t.Context()), program, args...), started: time.Now(), Ended: ended}
	b.cmd.Stdout, b.cmd.Stderr = &b.Stdout, &b.Stderr
	// What a killed command started may hold its output open for long.
	b.cmd.WaitDelay = 100 * time.Millisecond
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // the exit code says it
		close(ended)
	}()
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill() // for when the test fails half-way
		<-ended
	})
	return b
}

// Signal sends a signal.
func (b *Background) Signal(signal os.Signal) error { return b.cmd.Process.Signal(signal) }

// After sends a signal once so much time has passed; it reports false when the
// program was faster.
func (b *Background) After(delay time.Duration, signal syscall.Signal) bool {
	select {
	case <-b.Ended:
		return false
	case <-time.After(delay):
	}
	return b.Signal(signal) == nil
}

// Result waits for the end.
func (b *Background) Result() Result {
	<-b.Ended
	return resultOf(b.cmd, &b.Stdout, &b.Stderr, time.Since(b.started))
}

// Output can be read while a program still writes it.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write is for the program.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Await polls until the condition holds and fails with its last error when the
// limit is over.
func Await(t testing.TB, limit time.Duration, what string, condition func() error) {
	t.Helper()
	if err := Poll(t.Context(), limit, condition); err != nil {
		t.Fatalf("%s: not within %s: %v", what, limit, err)
	}
}

// Poll is Await for where there is no test; it returns the last error.
func Poll(ctx context.Context, limit time.Duration, condition func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Each does the same for every name at once.
func Each(names []string, do func(name string)) {
	var wg sync.WaitGroup
	for _, n := range names {
		wg.Go(func() { do(n) })
	}
	wg.Wait()
}
