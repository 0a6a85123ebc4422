package fleetbench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// holder is an apply that holds the fleet's lock and has come to a write on a node
// that does not end.
type holder struct {
	*exec.Cmd
	out   bytes.Buffer
	ended chan error
}

func hold(t *testing.T, f *fleettest.Fleet, flags ...string) *holder {
	t.Helper()
	struck := make(chan struct{})
	f.Host("kube-node-1").Machine.Inject(hosttest.Fault{Match: "drover-write-files", Do: hosttest.Hang, Struck: func() { close(struck) }})
	h := &holder{Cmd: f.Command(drover, append([]string{"apply", "--auto-approve"}, flags...)...), ended: make(chan error, 1)}
	h.Stdout, h.Stderr = &h.out, &h.out
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Process.Kill() })
	go func() { h.ended <- h.Wait() }()
	select {
	case <-struck:
	case err := <-h.ended:
		t.Fatalf("it ended: %v\n%s", err, h.out.String())
	case <-time.After(time.Minute):
		t.Fatal("it does not get to the node")
	}
	return h
}

// end waits for its end and returns its exit code.
func (h *holder) end(t *testing.T) int {
	t.Helper()
	select {
	case <-h.ended:
		return h.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
		return -1
	}
}

func invoke(f *fleettest.Fleet, args ...string) (string, int) {
	c := f.Command(drover, args...)
	out, _ := c.CombinedOutput() // its exit code tells
	return string(out), c.ProcessState.ExitCode()
}

// elsewhere has masters believe that the holder runs on another machine: nobody
// here can tell whether it lives.
func elsewhere(f *fleettest.Fleet) {
	for _, h := range f.Hosts {
		h.Machine.Edit(func(s *hosttest.State) {
			for name, file := range s.Files {
				if strings.HasPrefix(name, "/var/lib/drover/lock/") {
					file.Content = strings.ReplaceAll(file.Content, "process=", "process=x")
					s.Files[name] = file
				}
			}
		})
	}
}

// dumps are all that the hosts hold, to the last file's time.
func dumps(f *fleettest.Fleet) string {
	var all strings.Builder
	for _, h := range f.Hosts {
		all.WriteString(h.Dump())
	}
	return all.String()
}

// One apply works; all others say who it is, and leave. When it is killed they need
// not wait: it was on this machine.
func TestOneApplyAtATime(t *testing.T) {
	for _, masters := range []int{1, 3} {
		t.Run(fmt.Sprint(masters), func(t *testing.T) {
			t.Parallel()
			f := fleettest.New(t, drover, fleettest.Config{Masters: masters, Nodes: 1})
			if out, code := invoke(f, "lock", "show"); code != 0 || !strings.HasPrefix(out, "free: nobody has held it yet") {
				t.Errorf("before any: exit %d\n%s", code, out)
			}
			h := hold(t, f)
			var wg sync.WaitGroup
			for range 9 {
				wg.Go(func() {
					out, code := invoke(f, "apply", "--auto-approve")
					if code != 75 || !strings.Contains(out, fmt.Sprintf("(pid %d) runs \"drover apply\"", h.Process.Pid)) || !strings.Contains(out, "--lock-wait=10m") {
						t.Errorf("beside the holder: exit %d\n%s", code, out)
					}
				})
			}
			wg.Wait()
			for _, h := range f.Hosts {
				h.Machine.HandleScript("# drover reset look", func(*hosttest.State, hosttest.Call) host.Result {
					return host.Result{Stdout: []byte("\n@@drover-reset@@\nunit etcd.service\nend\n")}
				})
			}
			if out, code := invoke(f, "reset", "--confirm=fleet", "--with-workloads"); code != 75 {
				t.Errorf("reset beside the holder: exit %d\n%s", code, out)
			}
			shown(t, f, h.Process.Pid)
			if err := h.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			h.end(t)
			if out, code := invoke(f, "apply", "--auto-approve"); code != 0 {
				t.Fatalf("after the holder was killed: exit %d\n%s", code, out)
			}
			if out, code := invoke(f, "lock", "show"); code != 0 || !strings.HasPrefix(out, "free: last held by") {
				t.Errorf("after all: exit %d\n%s", code, out)
			}
			out, code := invoke(f, "history")
			if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 2 ||
				!strings.Contains(lines[0], "never ended") || !strings.Contains(lines[1], "done in ") {
				t.Errorf("history: exit %d\n%s", code, out)
			}
			epochsRise(t, f)
		})
	}
}

// shown fails unless lock show names the holder.
func shown(t *testing.T, f *fleettest.Fleet, pid int) {
	t.Helper()
	out, code := invoke(f, "lock", "show", "-o", "json")
	var s struct {
		Held   bool
		Holder struct {
			PID    int `json:"pid"`
			Reason string
			Left   int `json:"lease_left_s"`
		}
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || !s.Held || s.Holder.PID != pid || s.Holder.Reason != "drover apply" || s.Holder.Left <= 0 {
		t.Errorf("lock show: exit %d, %v\n%s", code, err, out)
	}
	if out, _ := invoke(f, "history"); !strings.Contains(out, "under way") {
		t.Errorf("history while it works:\n%s", out)
	}
}

// epochsRise fails when a host was changed by an earlier holder after a later one.
func epochsRise(t *testing.T, f *fleettest.Fleet) {
	t.Helper()
	for _, h := range f.Hosts {
		last, changes := 0, 0
		for _, op := range h.Machine.Ops() {
			_, rest, guarded := strings.Cut(op.Line, " drover-guard /var/lib/drover/epoch ")
			if !guarded || op.Exit == 75 {
				continue
			}
			epoch := 0
			if _, err := fmt.Sscan(rest, &epoch); err != nil || epoch < last {
				t.Errorf("%s was changed under epoch %d after %d (%v)", h.Name, epoch, last, err)
			}
			last = epoch
			changes++
		}
		if changes == 0 {
			t.Errorf("%s was never changed under the lock", h.Name)
		}
	}
}

// A holder that is paused loses the lock when its lease ends; what it does when it
// wakes changes nothing any more.
func TestAPausedHolderChangesNothingMore(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	h := hold(t, f, "--lock-lease=5s")
	if err := h.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if out, code := invoke(f, "apply", "--auto-approve", "--lock-wait=2m"); code != 0 {
		t.Fatalf("after its lease: exit %d\n%s", code, out)
	}
	before := dumps(f)
	if err := h.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if code := h.end(t); code != 75 || !strings.Contains(h.out.String(), "the fleet's lock was lost") {
		t.Errorf("it woke, and ended with exit %d\n%s", code, h.out.String())
	}
	if dumps(f) != before {
		t.Error("it changed something after it had lost the lock")
	}
	epochsRise(t, f)
}

// The lock of a holder of which nothing is known is free when its lease ends, and
// not before.
func TestALeaseEnds(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	h := hold(t, f, "--lock-lease=20s")
	if err := h.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	h.end(t)
	elsewhere(f)
	if out, code := invoke(f, "apply", "--auto-approve"); code != 75 && code != 0 {
		t.Fatalf("within its lease: exit %d\n%s", code, out)
	}
	if out, code := invoke(f, "apply", "--auto-approve", "--lock-wait=2m"); code != 0 {
		t.Fatalf("after its lease: exit %d\n%s", code, out)
	}
	epochsRise(t, f)
}

// Who breaks the lock has every host refuse the holder, which stops.
func TestABrokenLock(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	h := hold(t, f, "--lock-lease=6s")
	c := f.Command(drover, "lock", "break")
	c.Stdin = strings.NewReader("no\n")
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "not broken: the answer was not the cluster's name") {
		t.Errorf("%v\n%s", err, out)
	}
	c = f.Command(drover, "lock", "break")
	c.Stdin = strings.NewReader("fleet\n")
	if out, err := c.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "the lock is free.\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, m := range f.Hosts {
		m.Machine.Edit(func(s *hosttest.State) {
			if s.Epoch() != 2 {
				t.Errorf("%s has epoch %d", m.Name, s.Epoch())
			}
		})
	}
	before := dumps(f)
	// Whoever hears of it first says so: the masters, who know by whom, or any host.
	if code := h.end(t); code != 75 || !strings.Contains(h.out.String(), "the fleet's lock was lost") {
		t.Errorf("the holder ended with exit %d\n%s", code, h.out.String())
	}
	if dumps(f) != before {
		t.Error("the holder changed something after its lock was broken")
	}
	if out, code := invoke(f, "lock", "break"); code != 0 || !strings.Contains(out, "nothing to break.") {
		t.Errorf("of a free lock: exit %d\n%s", code, out)
	}
	if out, code := invoke(f, "apply", "--auto-approve"); code != 0 {
		t.Errorf("after it: exit %d\n%s", code, out)
	}
}

// What another run is at looks like something in the way, and is none: whoever meets it
// waits for that run, looks again, and goes on.
func TestWhatAnotherRunIsAtIsNotInTheWay(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	f.Settings = "kubelet { max_pods = 50 }\n"
	f.Add(0)
	node, looks := f.Host("kube-node-1"), 0
	node.Machine.Precede("# drover survey", func(*hosttest.State, hosttest.Call) {
		switch looks++; looks {
		case 1:
			node.Swap.Store(1 << 20)
			heldMeanwhile(f.Host("kube-master-1"))
		case 2:
			node.Swap.Store(0)
		default:
			node.Swap.Store(1 << 20)
		}
	})
	says(t, said(t, f, 0, "apply", "--non-interactive"), "swap-on", "another run is at work, or was since this one has looked", "done: ")
	if looks != 2 {
		t.Errorf("it was looked %d times for what is in the way", looks)
	}

	// Where nobody else was, it is in the way.
	f.Settings = "kubelet { max_pods = 51 }\n"
	f.Add(0)
	saysNot(t, said(t, f, 1, "apply", "--non-interactive"), "another run")
}

// heldMeanwhile has the fleet's lock have been held by a run that has ended.
func heldMeanwhile(master *fleettest.Host) {
	master.Machine.Edit(heldSince)
}
