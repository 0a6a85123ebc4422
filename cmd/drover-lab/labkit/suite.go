package labkit

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

// workEnv names a suite's scratch directory; set, this process is the one that runs
// the tests.
const workEnv = "DROVER_SUITE_WORK"

// Suite is a set of tests that have labs of their own.
type Suite struct {
	// Name is one no other suite has.
	Name string
	// StateDir keeps the suite's labs apart from a user's and other suites'.
	StateDir string
	// Binaries are those that are tested: the environment's names for them.
	// DROVER_LAB, which makes the labs, is always one.
	Binaries []string
	Labs     []Lab
	// Before, when there is one, looks at this machine before the tests. What it
	// returns looks again once the labs are down.
	Before func() (after func() error, err error)
}

// unable is why the suite cannot run here, or "".
func (s Suite) unable() string {
	for _, name := range s.Binaries {
		if os.Getenv(name) == "" {
			return fmt.Sprintf("the lab suites need %s, a binary: run `make lab-test`", name)
		}
	}
	if os.Geteuid() != 0 {
		return "the lab suites make machines, which needs root"
	}
	return ""
}

// Need skips the test where labs cannot be made.
func (s Suite) Need(t testing.TB) {
	t.Helper()
	if why := s.unable(); why != "" {
		t.Skip(why)
	}
}

// Main is for TestMain. It runs the tests in a child process: whatever becomes of
// it (a panic, a timeout, a signal), this process is there to take the labs down.
// It returns the exit code.
func (s Suite) Main(m *testing.M) int {
	flag.Parse()
	if s.unable() != "" || os.Getenv(workEnv) != "" {
		return m.Run()
	}
	code, err := s.supervise()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", s.Name, err)
		code = max(code, 1)
	}
	return code
}

func (s Suite) supervise() (code int, err error) {
	// One at a time: suites of a name share labs and networks. The kernel frees an
	// abstract socket with its process, so no killed suite can lock others out.
	only, err := net.Listen("unix", "@"+s.Name)
	if err != nil {
		return 1, fmt.Errorf("another suite %s seems to be running: %w", s.Name, err)
	}
	defer only.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if err := s.clear(); err != nil {
		return 1, fmt.Errorf("what an earlier suite left: %w", err)
	}
	work, err := os.MkdirTemp("", s.workPrefix())
	if err != nil {
		return 1, err
	}
	os.Setenv(workEnv, work)
	if err := os.Mkdir(TempDir(), 0o755); err != nil {
		return 1, err
	}
	after := func() error { return nil }
	if s.Before != nil {
		if after, err = s.Before(); err != nil {
			return 1, err
		}
	}
	code, err = runTests(signals)
	start := time.Now()
	err = errors.Join(err, s.clear(), after())
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

// clear removes what suites of this name leave: commands still at work, labs,
// scratch directories. It fails when anything stays.
func (s Suite) clear() error {
	errs := []error{s.killLeftovers()}
	for _, l := range s.Labs {
		if out, err := exec.Command(os.Getenv("DROVER_LAB"), l.Flags("down")...).CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("taking %s down: %w: %s", l.Name, err, out))
		}
	}
	left, err := filepath.Glob(filepath.Join(s.StateDir, "*"))
	errs = append(errs, err)
	if len(left) > 0 {
		errs = append(errs, fmt.Errorf("left behind: %v", left))
	}
	scratch, err := filepath.Glob(filepath.Join(os.TempDir(), s.workPrefix()+"*"))
	errs = append(errs, err)
	// Else it may help to find out why; and a directory is not to go with something
	// mounted in it.
	if errors.Join(errs...) == nil {
		for _, dir := range scratch {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// killLeftovers ends the suite's commands that are still at work: those of its
// binaries that name one of its directories. What keeps a lab's machines is left
// to drover-lab.
func (s Suite) killLeftovers() error {
	busy, err := Processes(func(p Process) bool {
		return slices.ContainsFunc(s.Binaries, func(b string) bool { return p.runs(os.Getenv(b)) }) &&
			(p.Mentions(s.StateDir) || p.Mentions(s.workPrefix())) && !slices.Contains(p.Args, "internal")
	})
	errs := []error{err}
	for _, p := range busy {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("%s: %w", p, err))
		}
	}
	return errors.Join(errs...)
}

// workPrefix begins the scratch directories' names; not as what labs themselves
// may leave beside them.
func (s Suite) workPrefix() string { return "suite-" + s.Name + "-" }

// WorkDir is the suite's scratch directory.
func WorkDir() string { return os.Getenv(workEnv) }

// TempDir is what the suite's commands find as their TMPDIR.
func TempDir() string { return filepath.Join(WorkDir(), "tmp") }

// Soak says whether full counts are wanted instead of those that fit into make test.
func Soak() bool { return os.Getenv("DROVER_SOAK") != "" }

// Seed is where random choices come from. It is printed, so that a failure can be
// repeated.
func Seed(t testing.TB) int64 {
	t.Helper()
	n, err := strconv.ParseInt(os.Getenv("DROVER_SEED"), 10, 64)
	if err != nil {
		n = time.Now().Unix()
	}
	t.Logf("seed %d: repeat with SEED=%d", n, n)
	return n
}

// Process is one of the process table.
type Process struct {
	PID    int
	Args   []string
	Groups string // its control groups
}

func (p Process) String() string { return fmt.Sprintf("%d %s", p.PID, strings.Join(p.Args, " ")) }

// Mentions says whether a word is part of the command line.
func (p Process) Mentions(word string) bool {
	return slices.ContainsFunc(p.Args, func(a string) bool { return strings.Contains(a, word) })
}

func (p Process) runs(program string) bool { return p.Args[0] == program }

// Processes are those the filter keeps. Zombies have ended: their parent has not
// looked yet.
func Processes(keep func(Process) bool) ([]Process, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		args, err2 := os.ReadFile(filepath.Join(dir, "cmdline"))
		groups, err3 := os.ReadFile(filepath.Join(dir, "cgroup"))
		if errors.Join(err, err2, err3) != nil {
			continue // it ended while we looked
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		p := Process{PID: pid, Args: strings.Split(strings.TrimRight(string(args), "\x00"), "\x00"), Groups: string(groups)}
		if !strings.HasPrefix(rest, "Z") && keep(p) {
			found = append(found, p)
		}
	}
	return found, nil
}
