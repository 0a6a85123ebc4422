package etcdtest

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Find looks for a component's binary in the lab's cache of components. When
// there is none, the error says so; tests skip with it.
func Find(set, name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sets, _ := filepath.Glob(filepath.Join(cache, "drover-lab", "components", set+"-*"))
	var found string
	for _, dir := range sets {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == name && d.Type().IsRegular() && executable(path) {
				found = path
				return fs.SkipAll
			}
			return nil
		})
		if err == nil && found != "" {
			return found, nil
		}
	}
	return "", fmt.Errorf("no %s among the lab's components (drover-lab builds them): left out", name)
}

// executable reports whether a file is an ELF binary: release files lie in the
// cache without their executable bit.
func executable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	_, err = f.Read(magic)
	return err == nil && string(magic) == "\x7fELF"
}

// Process is a component that runs until it is stopped, or this process ends.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// StartProcess starts a component with its output in a file of dir.
func StartProcess(dir, binary string, args ...string) (*Process, error) {
	// The cache keeps release files without their executable bit; a copy runs.
	if info, err := os.Stat(binary); err != nil || info.Mode()&0o100 == 0 {
		linked := filepath.Join(dir, filepath.Base(binary))
		if _, err := os.Stat(linked); err != nil {
			if err := copyFile(binary, linked); err != nil {
				return nil, err
			}
		}
		binary = linked
	}
	p := &Process{log: filepath.Join(dir, filepath.Base(binary)+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(binary, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended shows in its log
		close(p.done)
	}()
	return p, nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o700)
}

// Stop kills the process and waits for its end.
func (p *Process) Stop() {
	_ = p.cmd.Process.Kill() // fails when it has ended, which is as good
	<-p.done
}

// WaitFor polls until ok, the process ends, or a minute has passed.
func (p *Process) WaitFor(what string, ok func() bool) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if ok() {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s: the process ended:\n%s", what, p.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s: not within a minute:\n%s", what, p.Log())
}

// Log is the end of what the process wrote.
func (p *Process) Log() string {
	data, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// FreePort is a port of loopback that was free a moment ago.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
