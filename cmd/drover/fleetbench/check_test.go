package fleetbench

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// underPuppet is a drover as Puppet's exec runs it: in a session of its own, with
// nothing to read, and with one pipe for both outputs, in an environment that has
// neither HOME nor USER nor LOGNAME.
func underPuppet(f *fleettest.Fleet, args ...string) *exec.Cmd {
	c := f.Command(drover, args...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c
}

// findable has an inventory lead to the fleet's hosts without anything of the operator's
// home.
func findable(t *testing.T, f *fleettest.Fleet) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.Dir, "ssh_config"), []byte("HostName 127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rewrite(t, f, "ssh {\n", "ssh {\n  config_file = \"ssh_config\"\n")
}

// puppetRuns runs one and returns what it said and its exit code.
func puppetRuns(f *fleettest.Fleet, args ...string) (string, int) {
	c := underPuppet(f, args...)
	out, _ := c.CombinedOutput() // its exit code tells
	return string(out), c.ProcessState.ExitCode()
}

// here is all that is below directories of this machine, with the times of the last
// change: of content as well as of the rest.
func here(t *testing.T, dirs ...string) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			var s syscall.Stat_t
			if err := syscall.Lstat(name, &s); err != nil {
				return err
			}
			fmt.Fprintln(&all, name, s.Mode, s.Size, s.Mtim, s.Ctim)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// A check writes nothing, wherever it is called from and whatever it finds, and asks
// each host once.
func TestACheckWritesNothing(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 3, Nodes: 2})
	findable(t, f)
	// Everything that it could write to by itself, with a name of its own.
	home, temp := t.TempDir(), t.TempDir()
	check := func() (string, int) {
		c := underPuppet(f, "check")
		c.Dir = home
		c.Env = append(c.Env, "TMPDIR="+temp)
		out, _ := c.CombinedOutput()
		return string(out), c.ProcessState.ExitCode()
	}
	look := func() (string, string, int) { return dumps(f), here(t, home, temp, f.Dir, f.Home), f.Writes() }
	same := func(what string, run func()) {
		t.Helper()
		hosts, files, writes := look()
		logs, _ := filepath.Glob("/var/log/drover/*-check.jsonl")
		run()
		nowHosts, nowFiles, nowWrites := look()
		if d := cmp.Diff(hosts, nowHosts); d != "" {
			t.Errorf("%s: hosts were written to:\n%s", what, d)
		}
		if d := cmp.Diff(files, nowFiles); d != "" {
			t.Errorf("%s: this machine was written to:\n%s", what, d)
		}
		if nowLogs, _ := filepath.Glob("/var/log/drover/*-check.jsonl"); len(nowLogs) != len(logs) {
			t.Errorf("%s: a log was written", what)
		}
		if nowWrites != writes {
			t.Errorf("%s: the API was written to %d times", what, nowWrites-writes)
		}
	}
	f.Forget()
	connections := f.Connections()
	same("in sync", func() {
		if out, code := check(); code != 0 || out != "" {
			t.Errorf("exit %d, says:\n%s", code, out)
		}
	})
	for n, h := range f.Hosts {
		if made := f.Connections()[n] - connections[n]; made != 1 {
			t.Errorf("%s was connected to %d times", h.Name, made)
		}
		if ops := h.Machine.Ops(); len(ops) != 1 {
			t.Errorf("%s was asked to run %d commands: %v", h.Name, len(ops), ops)
		}
	}
	f.Host("kube-node-1").Machine.Edit(func(s *hosttest.State) { s.Sysctls["net.ipv4.ip_forward"] = "0" })
	f.Forget()
	same("differs", func() {
		out, code := check()
		if want := "kube-node-1: ~ sysctl:kubernetes: net.ipv4.ip_forward is 0, not 1\n"; code != 2 || !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 3 { // and what the host tells of it
			t.Errorf("exit %d, says:\n%s", code, out)
		}
	})
	for _, h := range f.Hosts[3:] {
		if ops := h.Machine.Ops(); len(ops) != 1 {
			t.Errorf("%s was asked to run %d commands: %v", h.Name, len(ops), ops)
		}
	}
	f.Host("kube-node-2").Server.Vanish(true)
	same("a host is away", func() {
		if out, code := check(); code != 69 || !strings.Contains(out, "kube-node-2 could not be looked at: ") {
			t.Errorf("exit %d, says:\n%s", code, out)
		}
	})
}

// A bare fleet is not as its inventory says, and what cannot be asked is not in sync.
func TestACheckOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 1})
	findable(t, f)
	before := dumps(f)
	if out, code := puppetRuns(f, "check"); code != 2 || strings.Count(out, "\n") > 20 || !strings.Contains(out, "things are not as the inventory says") {
		t.Errorf("exit %d, says:\n%s", code, out)
	}
	f.Host("kube-master-1").Server.Vanish(true)
	if out, code := puppetRuns(f, "check"); code != 69 || !strings.Contains(out, "kube-master-1") {
		t.Errorf("its master is away: exit %d, says:\n%s", code, out)
	}
	if dumps(f) != before {
		t.Error("something was written")
	}
}

// A cluster whose API does not answer is not known to be as wanted.
func TestACheckOfASilentAPI(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	findable(t, f)
	f.RefuseAPI("kube-master-1")
	if out, code := puppetRuns(f, "check"); code != 2 || !strings.HasPrefix(out, "not known: the cluster's API could not be asked") {
		t.Errorf("exit %d, says:\n%s", code, out)
	}
}

// Of a host that does not answer the deadline makes an error that names it, and nothing
// is there any more soon after.
func TestACheckHasADeadline(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 2})
	findable(t, f)
	f.Host("kube-master-1").Machine.Inject(hosttest.Fault{Do: hosttest.Hang})
	began := time.Now()
	out, code := puppetRuns(f, "check", "--deadline=6s")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if code != 69 || out != "drover: stopped by the deadline of 6s while these had not answered: kube-master-1\n" {
		t.Errorf("exit %d, says:\n%s", code, out)
	}
}

// A live run with the same inventory is on its way there: that is no reason for another.
// One that was killed is none, and one with another inventory is told of.
func TestACheckBesideALiveRun(t *testing.T) {
	t.Parallel()
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 1})
	findable(t, f)
	h := hold(t, f)
	out, code := puppetRuns(f, "check")
	if code != 0 || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "fleet: not verified, as run ") ||
		!strings.Contains(out, fmt.Sprintf("(pid %d) runs \"drover apply\" since ", h.Process.Pid)) {
		t.Errorf("with the same inventory: exit %d, says:\n%s", code, out)
	}
	f.Settings = "kubelet { max_pods = 50 }\n"
	f.Add(0)
	findable(t, f)
	out, code = puppetRuns(f, "check")
	if code != 2 || !strings.Contains(out, "this may change, as run ") || !strings.HasSuffix(out, ", of another inventory\n") {
		t.Errorf("with another inventory: exit %d, says:\n%s", code, out)
	}
	f.Settings = ""
	f.Add(0)
	findable(t, f)
	if err := h.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	h.end(t)
	if out, code := puppetRuns(f, "check"); code != 2 || strings.Contains(out, " is active: ") {
		t.Errorf("after it was killed: exit %d, says:\n%s", code, out)
	}
}

// A run of another inventory at work on a cluster that is as this one says makes that
// nothing to rely on; so does one that has not said which inventory it has.
func TestACheckOfWhatIsAboutToChange(t *testing.T) {
	t.Parallel()
	f := settled(t, fleettest.Config{Masters: 1, Nodes: 1})
	findable(t, f)
	old := f.Settings
	f.Settings = "kubelet { max_pods = 50 }\n"
	f.Add(0)
	held := make(chan struct{})
	f.Host("kube-node-1").Machine.Inject(hosttest.Fault{Match: "drover-write-files", Do: hosttest.Hang, Struck: func() { close(held) }})
	c := f.Command(drover, "apply", "--auto-approve")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	select {
	case <-held:
	case <-time.After(time.Minute):
		t.Fatal("it does not get to the node")
	}
	f.Settings = old
	f.Add(0)
	findable(t, f)
	forget := func(s *hosttest.State) { // as a drover that records none
		for name, file := range s.Files {
			if strings.HasPrefix(name, "/var/lib/drover/lock/") {
				head, rest, _ := strings.Cut(file.Content, "inventory=")
				_, rest, _ = strings.Cut(rest, "\n")
				file.Content = head + rest
				s.Files[name] = file
			}
		}
	}
	for _, step := range []func(){func() {}, func() { f.Host("kube-master-1").Machine.Edit(forget) }} {
		step()
		out, code := puppetRuns(f, "check")
		// The master has other settings by now, or not yet.
		if code != 75 && code != 2 || !strings.Contains(out, ", of another inventory\n") {
			t.Errorf("exit %d, says:\n%s", code, out)
		}
	}
}
