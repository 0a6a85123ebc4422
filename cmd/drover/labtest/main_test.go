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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// stateDir keeps the suites' labs apart from a user's and from drover-lab's
	// own suites'.
	stateDir = "/var/lib/drover-clustertest"
	// workEnv names the suite's scratch directory; set, this process is the one
	// that runs the tests.
	workEnv = "DROVER_CLUSTERTEST_WORK"
	// workPrefix begins the scratch directory's name.
	workPrefix = "drover-clustertest-"
)

// The suites' labs; each has a /24 of its own.
var (
	oneLab    = lab{name: "dt-one", net: "10.94.0"}
	threeLab  = lab{name: "dt-three", net: "10.94.1"}
	killLab   = lab{name: "dt-kill", net: "10.94.2"}
	benchLab  = lab{name: "dt-bench", net: "10.94.3"}
	manualLab = lab{name: "dt-manual", net: "10.94.4"}
	pushLab   = lab{name: "dt-push", net: "10.94.6"}
)

func allLabs() []lab { return []lab{oneLab, threeLab, killLab, benchLab, manualLab, pushLab} }

// unable is why the lab suites cannot run here, or "".
func unable() string {
	switch {
	case os.Getenv("DROVER_LAB") == "":
		return "the lab suites need DROVER_LAB, the drover-lab binary: run `make lab-test`"
	case os.Getenv("DROVER") == "":
		return "the lab suites need DROVER, the drover binary: run `make lab-test`"
	case os.Geteuid() != 0:
		return "the lab suites make machines, which needs root"
	}
	return ""
}

// need skips the test where labs cannot be made.
func need(t testing.TB) {
	t.Helper()
	if why := unable(); why != "" {
		t.Skip(why)
	}
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
	only, err := net.Listen("unix", "@drover-clustertest")
	if err != nil {
		return 1, fmt.Errorf("another suite of clusters seems to be running: %w", err)
	}
	defer only.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if err := clear(); err != nil {
		return 1, fmt.Errorf("what an earlier suite left: %w", err)
	}
	work, err := os.MkdirTemp("", workPrefix)
	if err != nil {
		return 1, err
	}
	os.Setenv(workEnv, work)
	code, err = runTests(signals)
	start := time.Now()
	err = errors.Join(err, clear())
	fmt.Printf("labs taken down in %s\n", time.Since(start).Round(100*time.Millisecond))
	return code, err
}

// runTests runs this binary again, as the child that tests.
func runTests(signals <-chan os.Signal) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	// The child goes with this process, even if that is killed; the kernel ties
	// it to the thread that started it.
	runtime.LockOSThread()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
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

// clear removes what suites leave: commands still at work, labs, scratch
// directories. It fails when anything stays.
func clear() error {
	errs := []error{killLeftovers()}
	for _, l := range allLabs() {
		if out, err := exec.Command(os.Getenv("DROVER_LAB"), l.flags("down")...).CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("taking %s down: %w: %s", l.name, err, out))
		}
	}
	left, err := filepath.Glob(filepath.Join(stateDir, "*"))
	errs = append(errs, err)
	if len(left) > 0 {
		errs = append(errs, fmt.Errorf("left behind: %v", left))
	}
	scratch, err := filepath.Glob(filepath.Join(os.TempDir(), workPrefix+"*"))
	errs = append(errs, err)
	if errors.Join(errs...) == nil { // else it may help to find out why
		for _, dir := range scratch {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// killLeftovers ends the suites' commands that are still at work: those of our
// two binaries that name one of our directories. What keeps a lab's machines is
// left to drover-lab.
func killLeftovers() error {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	errs := []error{err}
	for _, dir := range dirs {
		content, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it ended meanwhile
		}
		args := strings.Split(string(content), "\x00")
		ours := args[0] == os.Getenv("DROVER") || args[0] == os.Getenv("DROVER_LAB")
		named := strings.Contains(string(content), stateDir) || strings.Contains(string(content), workPrefix)
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || !ours || !named || slices.Contains(args, "internal") {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("%s: %w", strings.Join(args, " "), err))
		}
	}
	return errors.Join(errs...)
}

// workDir is the suite's scratch directory.
func workDir() string { return os.Getenv(workEnv) }

func soak() bool { return os.Getenv("DROVER_SOAK") != "" }

// seed is printed by whoever uses it, so that a failure can be repeated.
func seed(t testing.TB) int64 {
	t.Helper()
	n, err := strconv.ParseInt(os.Getenv("DROVER_SEED"), 10, 64)
	if err != nil {
		n = time.Now().Unix()
	}
	t.Logf("seed %d: repeat with DROVER_SEED=%d", n, n)
	return n
}
