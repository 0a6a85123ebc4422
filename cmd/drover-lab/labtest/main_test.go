package labtest

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const (
	// stateDir keeps the suites' labs apart from a user's.
	stateDir = "/var/lib/drover-labtest"
	// workEnv names the suite's scratch directory; set, this process is the one
	// that runs the tests.
	workEnv = "DROVER_LABTEST_WORK"
)

// The suites' labs; each has a /24 of its own.
var (
	sharedLab = lab{name: "lt-shared", net: "10.91.0"}
	crashLab  = lab{name: "lt-crash", net: "10.91.1"}
	otherLab  = lab{name: "lt-other", net: "10.91.2"}
	clashLab  = lab{name: "lt-clash", net: "10.91.0"} // the shared lab's network
	benchLab  = lab{name: "lt-bench", net: "10.91.3"}
)

func allLabs() []lab { return []lab{sharedLab, crashLab, otherLab, clashLab, benchLab} }

// unable is why the lab suites cannot run here, or "".
func unable() string {
	switch {
	case os.Getenv("DROVER_LAB") == "":
		return "the lab suites need DROVER_LAB, the binary: run `make lab-test`"
	case os.Geteuid() != 0:
		return "the lab suites make machines, which needs root"
	}
	return ""
}

// TestMain runs the tests in a child process: whatever becomes of it (a panic, a
// timeout, a signal), this process is there to take the labs down.
func TestMain(m *testing.M) {
	flag.Parse()
	if unable() != "" || os.Getenv(workEnv) != "" {
		os.Exit(m.Run())
	}
	code, err := supervise()
	if err != nil {
		fmt.Fprintln(os.Stderr, "labtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func supervise() (code int, err error) {
	// One suite at a time: they share names and networks. The kernel frees an
	// abstract socket with its process, so no killed suite can lock others out.
	only, err := net.Listen("unix", "@drover-labtest")
	if err != nil {
		return 1, fmt.Errorf("another lab suite seems to be running: %w", err)
	}
	defer only.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	work, err := os.MkdirTemp("", "labtest-")
	if err != nil {
		return 1, err
	}
	os.Setenv(workEnv, work)
	if err := os.Mkdir(tempDir(), 0o755); err != nil {
		return 1, err
	}
	if err := clear(); err != nil {
		return 1, fmt.Errorf("what an earlier suite left: %w", err)
	}
	before, err := takeTraces()
	if err != nil {
		return 1, err
	}
	code, err = runTests(signals)
	start := time.Now()
	err = errors.Join(err, clear())
	// Also the scratch directory is not to go with something mounted in it.
	err = errors.Join(err, os.RemoveAll(work), before.awaitSame(nil))
	fmt.Printf("labs taken down in %s\n", time.Since(start).Round(100*time.Millisecond))
	return code, err
}

// runTests runs this binary again, as the child that tests.
func runTests(signals <-chan os.Signal) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var told os.Signal
	for {
		select {
		case told = <-signals:
			// The tests' own commands get it from a terminal, not from kill.
			_ = cmd.Process.Signal(told)
		case err := <-done:
			var exit *exec.ExitError
			switch {
			case told != nil:
				return 130, fmt.Errorf("ended by signal: %s", told)
			case errors.As(err, &exit):
				return max(exit.ExitCode(), 1), nil
			case err != nil:
				return 1, err
			}
			return 0, nil
		}
	}
}

// clear takes every lab of the suites down, and first what still works on them.
func clear() error {
	busy, err := processes(func(p process) bool {
		return p.mentions(stateDir) && p.runs(os.Getenv("DROVER_LAB")) && !p.mentions("internal")
	})
	errs := []error{err}
	for _, p := range busy {
		if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("%s: %w", p, err))
		}
	}
	for _, l := range allLabs() {
		out, err := exec.Command(os.Getenv("DROVER_LAB"), l.flags("down")...).CombinedOutput()
		if err != nil {
			errs = append(errs, fmt.Errorf("taking %s down: %w: %s", l.name, err, out))
		}
	}
	return errors.Join(errs...)
}

// workDir is the suite's scratch directory.
func workDir() string { return os.Getenv(workEnv) }

// tempDir is what drover-lab finds as its TMPDIR: empty before and after.
func tempDir() string { return filepath.Join(workDir(), "tmp") }

func soak() bool { return os.Getenv("DROVER_SOAK") != "" }

// seed is printed by whoever uses it, so that a failure can be repeated.
func seed(t testing.TB) int64 {
	t.Helper()
	n, err := strconv.ParseInt(os.Getenv("DROVER_SEED"), 10, 64)
	if err != nil {
		n = time.Now().Unix()
	}
	t.Logf("seed %d: repeat with SEED=%d", n, n)
	return n
}
