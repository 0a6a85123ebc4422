package cli_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what the tests got as what they want")

// Each script is a way of using the real binary: arguments, output, exit code.
func TestScripts(t *testing.T) {
	bin := build(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "fleet": simulate, "claim": claim, "remember": remember, "fault": fault, "puppetdb": puppetDB, "fakepuppet": fakePuppet},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("TZ", "UTC")
			e.Values[runs{}] = &scriptFleet{tb: e.T().(testing.TB)}
			e.Values[puppetdbs{}] = &scriptPuppetDB{tb: e.T().(testing.TB)}
			return nil
		},
	})
}

// build builds drover, once, and returns the directory it is in.
func build(t *testing.T) string {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// binaries is where built puts what it builds.
var binaries string

var built = sync.OnceValues(func() (string, error) {
	if out, err := exec.Command("go", "build", "-o", binaries, "../../drover").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binaries, nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "drover")
	if err != nil {
		panic(err)
	}
	binaries = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// code runs a command that must end with an exit code: code 65 drover validate.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
