package fleetbench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// took is what a command took.
type took struct {
	Wall, CPU time.Duration
	Peak      int64 // bytes of memory
	Exit      int
	Out       string // both of its outputs
}

func (t took) String() string {
	return fmt.Sprintf("%.2f s, %.2f s of CPU, %d MB", t.Wall.Seconds(), t.CPU.Seconds(), t.Peak>>20)
}

// measure runs a command and tells on standard output what it took. It is a small
// process between the fleet and the command because a process begins its peak of
// memory with that of the one that started it.
func measure(argv []string) error {
	c := exec.Command(argv[0], argv[1:]...)
	c.Env = append(os.Environ(), part+"="+os.Getenv(part+"_NEXT"))
	begin := time.Now()
	out, err := c.CombinedOutput()
	t := took{Wall: time.Since(begin), Out: string(out), Exit: c.ProcessState.ExitCode()}
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return err
	}
	t.CPU = c.ProcessState.SystemTime() + c.ProcessState.UserTime()
	if use, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		t.Peak = use.Maxrss << 10
	}
	return json.NewEncoder(os.Stdout).Encode(t)
}

// measured runs a command and tells what it took.
func measured(tb testing.TB, c *exec.Cmd, next string) took {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	m := exec.Command(self, c.Args...)
	m.Env, m.Dir, m.Stderr = append(c.Environ(), part+"=measure", part+"_NEXT="+next), c.Dir, os.Stderr
	out, err := m.Output()
	if err != nil {
		tb.Fatal(err)
	}
	var t took
	if err := json.Unmarshal(out, &t); err != nil {
		tb.Fatal(err)
	}
	return t
}
