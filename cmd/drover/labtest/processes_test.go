package labtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// process is what everybody on its machine, or its user, could read of a program.
type process struct {
	args, env string
	inLab     bool // it ran in a machine: this kernel is that of all of them
}

// processes are all that ran meanwhile, on this machine and on the lab's. The kernel
// tells of each program when it begins, so that short ones are seen, too.
type processes struct {
	socket  int
	halt    chan struct{}
	watched sync.WaitGroup

	mu     sync.Mutex
	seen   map[process]bool
	begun  int // of which the kernel told
	missed int // of them those that were gone when they were looked at
	err    error
}

// watchProcesses begins to watch.
func watchProcesses(t *testing.T) *processes {
	t.Helper()
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_CONNECTOR)
	if err != nil {
		t.Fatal(err)
	}
	p := &processes{socket: socket, halt: make(chan struct{}), seen: map[process]bool{}}
	// Bursts must fit.
	err = errors.Join(
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20),
		unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000}),
		unix.Bind(socket, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc}),
		unix.Sendto(socket, listen(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	)
	if err != nil {
		t.Fatalf("the kernel does not tell of processes: %v", err)
	}
	p.sweep()
	p.watched.Go(p.watch)
	t.Cleanup(func() { p.stop() })
	return p
}

// The numbers of the kernel's process connector: linux/connector.h, cn_proc.h.
const (
	cnIdxProc, cnValProc = 1, 1
	procListen           = 1
	procEventExec        = 2
	connectorLen         = 20
)

// listen is the message that asks for process events.
func listen() []byte {
	b := make([]byte, unix.NLMSG_HDRLEN+connectorLen+4)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.NLMSG_DONE)
	body := b[unix.NLMSG_HDRLEN:]
	binary.NativeEndian.PutUint32(body, cnIdxProc)
	binary.NativeEndian.PutUint32(body[4:], cnValProc)
	binary.NativeEndian.PutUint16(body[16:], 4)
	binary.NativeEndian.PutUint32(body[connectorLen:], procListen)
	return b
}

func (p *processes) watch() {
	// Before everybody else: a program may last less than a millisecond. The thread
	// ends with its goroutine.
	runtime.LockOSThread()
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0); err != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) // then as well as it can be
	}
	buf := make([]byte, 4096)
	for {
		select {
		case <-p.halt:
			return
		default:
		}
		n, _, err := unix.Recvfrom(p.socket, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil: // ENOBUFS: the kernel told of more than was read
			p.mu.Lock()
			p.err = err
			p.mu.Unlock()
			return
		}
		const event = unix.NLMSG_HDRLEN + connectorLen
		if n < event+20 || binary.NativeEndian.Uint32(buf[event:]) != procEventExec {
			continue
		}
		p.look(int(binary.NativeEndian.Uint32(buf[event+16:])), true)
	}
}

// look reads what a process was begun with. One that has ended has neither.
func (p *processes) look(pid int, told bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	env, envErr := os.ReadFile(filepath.Join(dir, "environ"))
	inLab := len(pids(dir)) > 1
	p.mu.Lock()
	defer p.mu.Unlock()
	if told {
		p.begun++
	}
	if err != nil || envErr != nil || len(args) == 0 {
		if told {
			p.missed++
		}
		return
	}
	text := func(b []byte) string { return strings.ReplaceAll(strings.TrimRight(string(b), "\x00"), "\x00", " ") }
	p.seen[process{text(args), text(env), inLab}] = true
}

// sweep looks at every process there is: also those that changed what they show.
func (p *processes) sweep() {
	names, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			p.look(pid, false)
		}
	}
}

// stop ends the watching and tells what was seen; the error is one of having seen too
// little.
func (p *processes) stop() (seen map[process]bool, told string, err error) {
	select {
	case <-p.halt:
	default:
		p.sweep()
		close(p.halt)
		p.watched.Wait()
		unix.Close(p.socket)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	told = fmt.Sprintf("%d programs were begun, %d of them gone before they could be looked at; %d different ones", p.begun, p.missed, len(p.seen))
	if p.err == nil && p.missed*4 > p.begun {
		p.err = errors.New(told)
	}
	return p.seen, told, p.err
}

// joinTokens are the tokens with which kubelets join, as their hosts have them for
// a moment.
type joinTokens struct {
	halt    chan struct{}
	watched sync.WaitGroup
	mu      sync.Mutex
	tokens  map[string]string // by host
}

// watchJoins reads the tokens off the hosts, from outside of them.
func (c *cluster) watchJoins(t *testing.T, path string) *joinTokens {
	t.Helper()
	j := &joinTokens{halt: make(chan struct{}), tokens: map[string]string{}}
	for _, h := range c.hosts() {
		root := rootOf(t, c.ssh(t, h, "readlink /proc/1/ns/pid"))
		j.watched.Go(func() {
			for {
				if text, err := os.ReadFile(filepath.Join(root, path)); err == nil {
					if token := tokenLook.FindString(string(text)); token != "" {
						j.mu.Lock()
						j.tokens[h] = token
						j.mu.Unlock()
					}
				}
				select {
				case <-j.halt:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	t.Cleanup(func() { j.stop() })
	return j
}

// rootOf is the root directory, seen from here, of the machine whose first process
// is in this namespace.
func rootOf(t *testing.T, pidNamespace string) string {
	t.Helper()
	links, _ := filepath.Glob("/proc/[0-9]*/ns/pid") // the pattern is well formed
	for _, link := range links {
		dir := filepath.Dir(filepath.Dir(link))
		to, err := os.Readlink(link)
		if err == nil && to == pidNamespace && slices.Equal(pids(dir)[1:], []string{"1"}) {
			return filepath.Join(dir, "root")
		}
	}
	t.Fatalf("no process is the first in %s", pidNamespace)
	return ""
}

// pids are a process's numbers: here, and in the machine that it is in, if it is.
func pids(dir string) []string {
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	_, ids, found := strings.Cut(string(status), "\nNSpid:")
	if err != nil || !found {
		return []string{""}
	}
	ids, _, _ = strings.Cut(ids, "\n")
	return strings.Fields(ids)
}

func (j *joinTokens) stop() map[string]string {
	select {
	case <-j.halt:
	default:
		close(j.halt)
	}
	j.watched.Wait()
	return j.tokens
}
