package lock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// master runs the real script on files of its own, with a clock of its own.
type master struct {
	name, shell, dir, proc string

	mu    sync.Mutex
	clock func() int // uptime in seconds
	boot  string
	down  error
}

func newMaster(t interface {
	Cleanup(func())
	Fatal(...any)
}, name, shell string) *master {
	dir, err := os.MkdirTemp("/dev/shm", "drover-lock-") // sync costs nothing there
	if err != nil {
		if dir, err = os.MkdirTemp("", "drover-lock-"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &master{name: name, shell: shell, dir: filepath.Join(dir, "drover", "lock"), proc: filepath.Join(dir, "proc"), boot: "boot-1"}
	at := 1000
	m.clock = func() int { return at }
	return m
}

func (m *master) set(uptime int) { m.clock = func() int { return uptime } }

func (m *master) Name() string { return m.name }

func (m *master) Aside(ctx context.Context, c host.Cmd) (host.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return host.Result{}, m.down
	}
	if err := ctx.Err(); err != nil {
		return host.Result{}, err
	}
	random := filepath.Join(m.proc, "sys/kernel/random")
	if err := errors.Join(os.MkdirAll(random, 0o755),
		os.WriteFile(filepath.Join(random, "boot_id"), []byte(m.boot+"\n"), 0o600),
		os.WriteFile(filepath.Join(m.proc, "uptime"), fmt.Appendf(nil, "%d.42 1.00\n", m.clock()), 0o600)); err != nil {
		return host.Result{}, err
	}
	argv := append([]string{}, c.Argv...)
	argv[0], argv[5], argv[len(argv)-1] = m.shell, m.dir, m.proc
	cmd := exec.Command(argv[0], argv[1:]...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return host.Result{}, err
	}
	return host.Result{Stdout: out.Bytes(), Stderr: said.Bytes(), Exit: cmd.ProcessState.ExitCode()}, nil
}

// shells are those that a host's sh may be.
func shells(t *testing.T) []string {
	var found []string
	for _, name := range []string{"dash", "bash"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		t.Skip("neither dash nor bash is here")
	}
	return found
}

func fleetOf(masters ...*master) Fleet {
	f := Fleet{Lease: time.Minute}
	for _, m := range masters {
		f.Masters = append(f.Masters, m)
		f.Declared = append(f.Declared, m.name)
	}
	return f
}

func claimOf(run string) Claim {
	return Claim{Run: run, Owner: run + "@admin", PID: 1, Reason: "drover apply", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}
