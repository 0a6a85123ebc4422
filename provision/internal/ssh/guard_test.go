package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// guarded is a command under an epoch, run by a shell of this machine.
func guarded(shell, dir string, epoch uint64, argv ...string) *exec.Cmd {
	f := Fence{Epoch: epoch, Dir: dir}
	all := append(f.argv(), argv...)
	all[2] = shell
	return exec.Command(all[0], all[1:]...)
}

func runGuarded(t *testing.T, shell, dir string, epoch uint64, argv ...string) (stdout, stderr string, exit int) {
	t.Helper()
	cmd := guarded(shell, dir, epoch, argv...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("stdin"), &out, &said
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

func eachShell(t *testing.T, do func(t *testing.T, shell, dir string)) {
	for _, name := range []string{"dash", "bash"} {
		shell, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) { do(t, shell, filepath.Join(t.TempDir(), "drover", "epoch")) })
	}
}

func epochs(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return strings.Join(names, " ")
}

func TestGuardRefusesWhatWasOutrun(t *testing.T) {
	eachShell(t, func(t *testing.T, shell, dir string) {
		for _, step := range []struct {
			epoch  uint64
			exit   int
			stderr string
			left   string
		}{
			{9, 7, "", "9"}, {9, 7, "", "9"}, {8, 75, "drover-outrun: 9\n", "9"}, {10, 7, "", "10"}, {9, 75, "drover-outrun: 10\n", "10"},
		} {
			stdout, stderr, exit := runGuarded(t, shell, dir, step.epoch, "sh", "-c", `cat; echo "$1"; umask; exit 7`, "x", "it's $HOME")
			if exit != step.exit || stderr != step.stderr {
				t.Errorf("epoch %d: exit %d, %q", step.epoch, exit, stderr)
			}
			if ran := strings.HasPrefix(stdout, "stdinit's $HOME\n00"); ran != (step.exit == 7) {
				t.Errorf("epoch %d: %q", step.epoch, stdout)
			}
			// A refused epoch may lie there until the next one comes: it is lower.
			if got := epochs(t, dir); !strings.Contains(" "+got+" ", " "+step.left+" ") {
				t.Errorf("epoch %d left %q", step.epoch, got)
			}
		}
	})
}

func TestGuardDoesNothingWithoutItsEpoch(t *testing.T) {
	eachShell(t, func(t *testing.T, shell, dir string) {
		if err := os.WriteFile(filepath.Dir(filepath.Dir(dir))+"/file", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, exit := runGuarded(t, shell, filepath.Dir(filepath.Dir(dir))+"/file/epoch", 1, "echo", "ran")
		if exit != 74 || stdout != "" || stderr == "" {
			t.Errorf("exit %d, %q, %q", exit, stdout, stderr)
		}
	})
}

// What an earlier holder has under way ends when a later one comes; what the same
// one has, and what is under no lock, goes on.
func TestGuardEndsWhatEarlierHoldersDo(t *testing.T) {
	eachShell(t, func(t *testing.T, shell, dir string) {
		start := func(epoch uint64) (*exec.Cmd, <-chan error) {
			// The children of a command are its own as well, and have to end with it.
			cmd := guarded(shell, dir, epoch, "sh", "-c", "echo begun; sleep 600; echo changed > "+filepath.Dir(dir)+"/harm")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			if _, err := out.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			return cmd, ended
		}
		_, old := start(3)
		if _, stderr, exit := runGuarded(t, shell, dir, 4, "true"); exit != 0 {
			t.Fatalf("exit %d, %q", exit, stderr)
		}
		select {
		case err := <-old:
			if err == nil {
				t.Error("it ended well")
			}
		case <-time.After(time.Minute):
			t.Fatal("it goes on")
		}
		_, same := start(4)
		if _, stderr, exit := runGuarded(t, shell, dir, 4, "true"); exit != 0 {
			t.Fatalf("exit %d, %q", exit, stderr)
		}
		select {
		case err := <-same:
			t.Errorf("a command of the same epoch was ended: %v", err)
		default:
		}
		if _, err := os.Stat(filepath.Dir(dir) + "/harm"); err == nil {
			t.Error("the end of one command let the next one run")
		}
	})
}

// Who left the epoch may have been killed before it had ended anything, or may be at
// it: whoever comes next under it does not begin beside an earlier holder.
func TestGuardEndsWhatAnotherOneLeft(t *testing.T) {
	eachShell(t, func(t *testing.T, shell, dir string) {
		old := guarded(shell, dir, 3, "sh", "-c", "trap '' TERM; echo begun; while :; do sleep 1; done")
		out, err := old.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := old.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		go func() { ended <- old.Wait() }()
		t.Cleanup(func() { _ = old.Process.Kill() })
		if err := os.WriteFile(filepath.Join(dir, "4"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		alive := fmt.Sprintf("! kill -0 %d 2>/dev/null || grep -q '^State:.*Z' /proc/%[1]d/status", old.Process.Pid)
		if _, stderr, exit := runGuarded(t, shell, dir, 4, "sh", "-c", alive); exit != 0 {
			t.Errorf("it was begun beside an earlier one: exit %d, %q", exit, stderr)
		}
		if _, stderr, exit := runGuarded(t, shell, dir, 5, "true"); exit != 0 {
			t.Fatalf("exit %d, %q", exit, stderr)
		}
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("it goes on")
		}
		if got := epochs(t, dir); got != "5 5.alone" {
			t.Errorf("left: %s", got)
		}
	})
}

// Whatever comes at the same moment, the highest epoch is what stays.
func TestGuardNeverLowersTheEpoch(t *testing.T) {
	eachShell(t, func(t *testing.T, shell, dir string) {
		var wg sync.WaitGroup
		for n := range 8 {
			cmd := guarded(shell, dir, uint64(20+n), "true")
			wg.Go(func() { _ = cmd.Run() })
		}
		wg.Wait()
		if _, stderr, exit := runGuarded(t, shell, dir, 26, "true"); exit != 75 || stderr != fmt.Sprintf("%s%d\n", outrunWord, 27) {
			t.Errorf("after all: exit %d, %q; there is %s", exit, stderr, epochs(t, dir))
		}
	})
}

// What a run has under way itself goes on, also where its first command comes to a
// host beside it, and whatever the other one is just beginning: the environment of a
// program that begins is empty for a moment.
func TestGuardSparesWhatIsItsOwn(t *testing.T) {
	eachShell(t, func(t *testing.T, shell, dir string) {
		// One program after the other, and not for ever.
		begins := filepath.Join(t.TempDir(), "begins")
		if err := os.WriteFile(begins, []byte(`[ "$1" -eq 0 ] || exec sh "$0" $(($1 - 1))`+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		const programs = 3
		ended := make(chan error, programs)
		for range programs {
			cmd := exec.Command("sh", begins, "20000")
			cmd.Env = append(os.Environ(), fmt.Sprintf("DROVER_EPOCH=%s/%d.", dir, 4))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			go func() { ended <- cmd.Wait() }()
		}
		for range 3 {
			if err := os.RemoveAll(dir); err != nil { // the first command, again
				t.Fatal(err)
			}
			if _, stderr, exit := runGuarded(t, shell, dir, 4, "true"); exit != 0 {
				t.Fatalf("exit %d, %q", exit, stderr)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Fatalf("it was ended: %v", err)
				}
			default:
			}
		}
	})
}
