package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the files scripts compare with")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"drover-lab": main})
}

// TestScripts runs the real command as its users do. What needs machines is in
// package labtest.
func TestScripts(t *testing.T) {
	// Scripts have to be readable for a user who is not root; t.TempDir is not.
	dir, err := os.MkdirTemp("", "drover-lab-scripts-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		WorkdirRoot:         dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			bin, _, _ := strings.Cut(env.Getenv("PATH"), string(os.PathListSeparator))
			return chmodAll(0o755, filepath.Dir(bin), bin, env.WorkDir)
		},
		Condition: func(cond string) (bool, error) {
			return cond == "root" && os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
		},
	})
}

// nobody is a user without rights, and without files.
const nobody = 65534

// exits runs a command and demands an exit code: `exits 64 drover-lab pu`. Run
// as root, `exits 1 nobody drover-lab …` gives up being root.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE [nobody] COMMAND…")
	}
	want, args := args[0], args[1:]
	var cred *syscall.Credential
	if args[0] == "nobody" {
		args = args[1:]
		if os.Geteuid() == 0 {
			cred = &syscall.Credential{Uid: nobody, Gid: nobody}
		}
	}
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"HOME=/no-home", "PATH=" + ts.Getenv("PATH"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	_ = cmd.Run() // the code tells
	if got := cmd.ProcessState; got == nil || got.String() != "exit status "+want {
		ts.Fatalf("%s: %v, want exit status %s", strings.Join(args, " "), got, want)
	}
}

func chmodAll(mode os.FileMode, paths ...string) error {
	for _, p := range paths {
		if err := os.Chmod(p, mode); err != nil {
			return err
		}
	}
	return nil
}
