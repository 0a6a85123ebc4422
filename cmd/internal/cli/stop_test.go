package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host/hosttest"
)

// limitOfRun is how long a run over a fleet may take where others keep the machine busy.
const limitOfRun = 2 * time.Minute

const rootUser = "user = \"root\"\n  become = \"none\""

// running is a drover under way.
type running struct {
	*exec.Cmd
	out, errs bytes.Buffer
	ended     chan error
}

func start(t *testing.T, c *exec.Cmd) *running {
	t.Helper()
	r := &running{Cmd: c, ended: make(chan error, 1)}
	c.Stdout, c.Stderr = &r.out, &r.errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill() })
	return r
}

// end waits for the end: the exit code, or the signal that ended it, negative.
func (r *running) end(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case err := <-r.ended:
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
			return -int(exit.Sys().(syscall.WaitStatus).Signal())
		}
		return r.ProcessState.ExitCode()
	case <-time.After(limit):
		t.Fatalf("no end within %s", limit)
	}
	return 0
}

func waitFor(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(60 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
}

// The first signal lets what is under way on a host end, begins nothing more, and
// says what is where.
func TestASignalEndsBetweenTwoChanges(t *testing.T) {
	for signal, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(signal.String(), func(t *testing.T) {
			f := newFleet(t, 2, hosttest.Config{}, rootUser, "")
			begun, let := held(f.machines[0])
			r := start(t, f.drover(t, "apply", "--auto-approve"))
			waitFor(t, "a write", begun)
			if err := r.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // nothing is cut off meanwhile
			let()
			if got := r.end(t, 30*time.Second); got != code {
				t.Errorf("exit code %d, want %d", got, code)
			}
			stderr, stdout := r.errs.String(), r.out.String()
			said := "stopped by a signal: " + signal.String() + ": nothing more is started; what is under way has up to 30s to end"
			if strings.Count(stderr, said) != 1 || !strings.Contains(stderr, "kube-master-1/file:") || !strings.Contains(stderr, "\nlog: "+f.home) {
				t.Errorf("standard error:\n%s", stderr)
			}
			if !strings.Contains(stdout, "\nstopped: of ") || !strings.Contains(stdout, " 0 were under way and cut off, ") ||
				!strings.Contains(stdout, "\n  left: ") || !strings.HasSuffix(stdout, "\nRun it again: it goes on from here.\n") {
				t.Errorf("standard output ends with:\n%s", stdout[max(0, len(stdout)-600):])
			}
			for _, op := range f.machines[0].Ops() {
				if !op.Ended || op.Stopped {
					t.Errorf("cut off: %q", op.Argv)
				}
			}
			_, lines := f.log(t, "apply")
			stopping, done := false, 0
			for _, e := range lines {
				stopping = stopping || e["kind"] == "stopping"
				switch {
				case stopping && e["kind"] == "started":
					t.Errorf("it began after the signal: %v", e["id"])
				case stopping && e["kind"] == "done":
					done++
				}
			}
			if done == 0 {
				t.Error("nothing that was under way came to its end after the signal")
			}
			if last := lines[len(lines)-1]; last["kind"] != "end" || last["exit_code"] != float64(code) {
				t.Errorf("the log ends with %v", last)
			}
		})
	}
}

// The second one waits for nothing.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	f := newFleet(t, 1, hosttest.Config{}, rootUser, "")
	begun, let := held(f.machines[0])
	defer let()
	r := start(t, f.drover(t, "apply", "--auto-approve"))
	waitFor(t, "a write", begun)
	for range 2 {
		if err := r.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	if got := r.end(t, 5*time.Second); got != -int(syscall.SIGINT) {
		t.Errorf("it ended with %d", got)
	}
}

// While it looks, nothing is under way that a host could be left in.
func TestASignalEndsALookAtOnce(t *testing.T) {
	f := newFleet(t, 1, hosttest.Config{}, rootUser, "")
	f.machines[0].Inject(hosttest.Fault{Do: hosttest.Hang})
	r := start(t, f.drover(t, "plan"))
	for deadline := time.Now().Add(30 * time.Second); len(f.machines[0].Ops()) == 0 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if err := r.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := r.end(t, 15*time.Second); got != 130 || r.errs.String() != "drover: stopped by a signal: interrupt while these had not answered: kube-master-1\n" || r.out.Len() > 0 {
		t.Errorf("exit code %d\n%s%s", got, &r.out, &r.errs)
	}
}

// Whoever read the output may go away: that ends nothing half-way, and changes no
// exit code.
func TestAClosedOutputEndsNothing(t *testing.T) {
	f := newFleet(t, 1, hosttest.Config{}, rootUser, "")
	begun, let := held(f.machines[0])
	c := f.drover(t, "apply", "--auto-approve")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = write, write
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	write.Close()
	go func() {
		<-begun
		read.Close()
		let()
	}()
	_, _ = io.Copy(io.Discard, read)
	err = c.Wait()
	if got := c.ProcessState.ExitCode(); got != 1 {
		t.Errorf("exit code %d: %v", got, err)
	}
	_, lines := f.log(t, "apply")
	done := 0 // all of it after the output was closed: the machine does one thing at a time
	for _, e := range lines {
		if e["kind"] == "done" {
			done++
		}
	}
	if done == 0 {
		t.Error("it went no further")
	}
	if last := lines[len(lines)-1]; last["kind"] != "end" || last["exit_code"] != 1.0 {
		t.Errorf("the log ends with %v", last)
	}
}
