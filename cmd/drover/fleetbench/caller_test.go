package fleetbench

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// atWork is a drover as Puppet runs it that has come to the first write on a node, and
// waits there until it is let go on.
type atWork struct {
	*exec.Cmd
	out bytes.Buffer
	let func()
}

func atFirstWrite(t *testing.T, f *fleettest.Fleet, do func(c *exec.Cmd), args ...string) *atWork {
	t.Helper()
	begun, free := make(chan struct{}), make(chan struct{})
	var once, freed sync.Once
	f.Host("kube-node-1").Machine.Precede("drover-write-files", func(*hosttest.State, hosttest.Call) {
		once.Do(func() { close(begun) })
		<-free
	})
	w := &atWork{Cmd: underPuppet(f, args...), let: func() { freed.Do(func() { close(free) }) }}
	w.Stdout, w.Stderr = &w.out, &w.out
	if do != nil {
		do(w.Cmd)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.let(); _ = w.Process.Kill() })
	select {
	case <-begun:
	case <-time.After(2 * time.Minute):
		t.Fatalf("it does not get to the node\n%s", &w.out)
	}
	return w
}

// goesOn fails unless the lock is free, and the same command finishes.
func goesOn(t *testing.T, f *fleettest.Fleet) {
	t.Helper()
	if out, code := puppetRuns(f, "lock", "show"); code != 0 || !strings.HasPrefix(out, "free: ") {
		t.Errorf("the lock: exit %d, says:\n%s", code, out)
	}
	if out, code := puppetRuns(f, "apply", "--non-interactive"); code != 0 {
		t.Errorf("the next apply: exit %d, says:\n%s", code, out)
	}
	// A machine that is busy with other tests may not answer in time. What has answered is
	// as it should be: a difference right after an apply is one that it should have seen.
	out, code := puppetRuns(f, "check")
	for end := time.Now().Add(time.Minute); untold(out, code) && time.Now().Before(end); {
		out, code = puppetRuns(f, "check")
	}
	if code != 0 || out != "" {
		t.Errorf("the check after it: exit %d, says:\n%s", code, out)
	}
}

// untold reports whether a check could not tell: a host or the API did not answer.
func untold(out string, code int) bool {
	return code == 69 || code == 2 && strings.HasPrefix(out, "not known: ")
}

// tail are the last lines of an output.
func tail(out string, lines int) string {
	all := strings.Split(strings.TrimSpace(out), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Puppet sends SIGTERM to the process when its timeout is over. What is under way is
// brought to its end, the lock given back, and the end says why it is one.
func TestSIGTERMOfPuppet(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	findable(t, f)
	w := atFirstWrite(t, f, nil, "apply", "--non-interactive", "--log-dir", t.TempDir())
	if err := w.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.let()
	_ = w.Wait() // its exit code tells
	end := tail(w.out.String(), 6)
	if code := w.ProcessState.ExitCode(); code != 143 || !strings.Contains(end, "\n  why: stopped by a signal: terminated\nRun it again: it goes on from here.") {
		t.Errorf("exit %d, says at the end:\n%s", code, end)
	}
	goesOn(t, f)
}

// A deadline does the same, and what does not come to its end in time is cut off.
func TestADeadlineOfAnApply(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	findable(t, f)
	struck := make(chan struct{})
	f.Host("kube-node-1").Machine.Inject(hosttest.Fault{Match: "drover-write-files", Do: hosttest.Hang, Struck: func() { close(struck) }})
	began := time.Now()
	out, code := puppetRuns(f, "apply", "--non-interactive", "--deadline=30s", "--log-dir", t.TempDir())
	took := time.Since(began)
	select {
	case <-struck:
	default:
		t.Fatalf("it did not get to the node:\n%s", out)
	}
	if took < 20*time.Second || took > 34*time.Second {
		t.Errorf("it took %s", took)
	}
	end := tail(out, 11)
	for _, want := range []string{"stopped: of ", "  cut off: kube-node-1/file:", "\n  why: stopped by the deadline of 30s\nRun it again: it goes on from here."} {
		if !strings.Contains(end, want) {
			t.Errorf("the end does not say %q:\n%s", want, end)
		}
	}
	if code != 1 {
		t.Errorf("exit %d", code)
	}
	goesOn(t, f)
}

// Nobody outlives a deadline: not who waits for the lock, nor who waits for a master.
func TestADeadlineOfWhoWaits(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	findable(t, f)
	h := hold(t, f)
	waits := func(want int, says string, args ...string) {
		began := time.Now()
		out, code := puppetRuns(f, args...)
		if took := time.Since(began); code != want || took > 12*time.Second || !strings.Contains(tail(out, 3), says) {
			t.Errorf("%v: exit %d after %s:\n%s", args, code, took, out)
		}
	}
	waits(75, "the fleet's lock is held", "apply", "--non-interactive", "--lock-wait=1s")
	waits(1, "stopped by the deadline of 9s", "apply", "--non-interactive", "--lock-wait=10m", "--deadline=9s")
	if err := h.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	h.end(t)
	for _, args := range [][]string{{"apply", "--non-interactive"}, {"plan"}, {"status"}, {"facts"}, {"lock", "show"}, {"capacity"}, {"node", "cordon", "kube-node-1"}} {
		f.Host("kube-master-1").Machine.Mend()
		f.Host("kube-master-1").Machine.Inject(hosttest.Fault{Do: hosttest.Hang})
		began := time.Now()
		out, code := puppetRuns(f, append(args, "--deadline=4s", "--log-dir=none")...)
		if took := time.Since(began); code == 0 || code == 2 || took > 8*time.Second || !strings.Contains(tail(out, 1), "stopped by the deadline of 4s") {
			t.Errorf("%v: exit %d after %s:\n%s", args, code, took, out)
		}
	}
}

// Whoever reads the output may be gone, from the beginning or in the middle: the run goes
// on to its end, and its log has what nobody read.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} {
		f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
		findable(t, f)
		logs := t.TempDir()
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if early {
			read.Close()
		} else {
			go func() { // whatever comes before
				text := make([]byte, 1<<16)
				for err == nil {
					_, err = read.Read(text)
				}
			}()
		}
		w := atFirstWrite(t, f, func(c *exec.Cmd) { c.Stdout, c.Stderr = write, write }, "apply", "--non-interactive", "--log-dir", logs)
		write.Close()
		read.Close()
		w.let()
		_ = w.Wait() // its exit code tells
		if code := w.ProcessState.ExitCode(); code != 0 {
			t.Errorf("early %v: exit %d", early, code)
		}
		notes := kept(t, logs)
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, "done: ") }) {
			t.Errorf("early %v: the log does not have how it ended: %q", early, notes)
		}
		if plan := slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, "kube-master-1\n") }); plan != early {
			t.Errorf("early %v: the log has the plan: %v", early, plan)
		}
		goesOn(t, f)
	}
}

// kept are the notes of the only log in a directory.
func kept(t *testing.T, dir string) (notes []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(names) != 1 {
		t.Fatalf("logs: %v, %v", names, err)
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var e struct{ Kind, Text string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == "note" {
			notes = append(notes, e.Text)
		}
	}
	return notes
}

// What fails is told at the end once more: callers keep only that.
func TestTheEndTellsTheCause(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	findable(t, f)
	f.Host("kube-node-1").Machine.Inject(hosttest.Fault{Match: "drover-write-files", Do: hosttest.Fail, Stderr: "it is broken"})
	out, code := puppetRuns(f, "apply", "--non-interactive", "--log-dir=none")
	if end := tail(out, 4); code != 1 || !strings.Contains(end, "\n  failed: kube-node-1/") || !strings.Contains(end, "it is broken") {
		t.Errorf("exit %d, says at the end:\n%s", code, end)
	}
	goesOn(t, f)
}

// A fragment that is late or missing removes nothing and begins nothing: of a master it
// is an inventory that is refused, and a node is kept that no fragment names.
func TestAMissingFragment(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 2})
	findable(t, f)
	text, err := os.ReadFile(filepath.Join(f.Dir, "inventory.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\nkube_")
	file := func(name string) string { return filepath.Join(f.Dir, name+".hcl") }
	fragments := map[string]string{"inventory": parts[0] + "\n"}
	for _, p := range parts[1:] {
		fragments[strings.Split(p, `"`)[1]] = "kube_" + p + "\n"
	}
	give := func(missing ...string) {
		for name, text := range fragments {
			if slices.Contains(missing, name) {
				_ = os.Remove(file(name)) // it may not be there yet
			} else if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func(args ...string) (string, int) {
		c := underPuppet(f, args...)
		c.Args[2] = f.Dir
		out, _ := c.CombinedOutput() // its exit code tells
		return string(out), c.ProcessState.ExitCode()
	}
	refused := func(when, master string) {
		t.Helper()
		before, writes := dumps(f), f.Writes()
		for _, args := range [][]string{{"validate"}, {"check"}, {"plan"}, {"apply", "--non-interactive"}} {
			out, code := run(args...)
			if code != 65 || !strings.Contains(out, `masters names "`+master+`", but there is no such kube_master`) || !strings.Contains(out, "its file may only be late") {
				t.Errorf("%s: %v: exit %d, says:\n%s", when, args, code, out)
			}
		}
		if dumps(f) != before || f.Writes() != writes {
			t.Errorf("%s: something was changed", when)
		}
	}
	give("kube-master-2", "kube-node-2")
	refused("before there is a cluster", "kube-master-2")
	give()
	if out, code := run("apply", "--non-interactive"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	give("kube-master-2")
	refused("of a cluster", "kube-master-2")
	give("kube-master-1", "kube-master-2", "kube-master-3", "kube-node-1", "kube-node-2")
	refused("without any", "kube-master-1")
	give("kube-node-2")
	before, writes := dumps(f), f.Writes()
	if out, code := run("check"); code != 0 || out != "" {
		t.Errorf("a node's is missing: exit %d, says:\n%s", code, out)
	}
	if out, code := run("apply", "--non-interactive", "--detailed-exitcode"); code != 0 || !strings.Contains(out, "nothing to do") || !strings.Contains(out, "kube-node-2") {
		t.Errorf("a node's is missing: exit %d, says:\n%s", code, out)
	}
	if dumps(f) != before || f.Writes() != writes {
		t.Error("a node's is missing: something was changed")
	}
}

// Who reads nothing and does not go away either holds nobody up for longer than the
// deadline.
func TestADeadlineOfWhoIsNotRead(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	findable(t, f)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	if _, err := unix.FcntlInt(write.Fd(), unix.F_SETPIPE_SZ, 1<<12); err != nil {
		t.Fatal(err)
	}
	if _, err := write.Write(make([]byte, 1<<12)); err != nil {
		t.Fatal(err)
	}
	c := underPuppet(f, "check", "--deadline=5s")
	c.Stdout, c.Stderr = write, write
	began := time.Now()
	_ = c.Run() // its exit code tells
	if took, code := time.Since(began), c.ProcessState.ExitCode(); code != 1 || took < 5*time.Second || took > 9*time.Second {
		t.Errorf("exit %d after %s", code, took)
	}
}
