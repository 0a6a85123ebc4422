package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/host"
)

// master runs the real script, by one of the shells a host's sh may be, on files of
// its own.
type master struct {
	host.Writer
	shell, dir string
	keep       int    // 0: as many as on real ones
	banner     string // that its shell prints before everything
}

func eachShell(t *testing.T, do func(t *testing.T, m *master)) {
	t.Helper()
	for _, name := range []string{"dash", "bash"} {
		shell, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			do(t, &master{shell: shell, dir: filepath.Join(t.TempDir(), "drover", "history")})
		})
	}
}

func (m *master) Name() string { return "m1" }

func (m *master) Probe(ctx context.Context, c host.Cmd) (host.Result, error) {
	argv := slices.Clone(c.Argv)
	argv[0], argv[5] = m.shell, m.dir
	if m.keep > 0 {
		argv[6] = strconv.Itoa(m.keep)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return host.Result{}, err
	}
	return host.Result{Stdout: append([]byte(m.banner), out.Bytes()...), Stderr: said.Bytes(), Exit: cmd.ProcessState.ExitCode()}, nil
}

func (m *master) Run(ctx context.Context, c host.Cmd) (host.Result, error) {
	res, err := m.Probe(ctx, c)
	if err == nil && res.Exit != 0 {
		err = &host.ExitError{Host: m.Name(), Cmd: "drover-history", Exit: res.Exit, Stderr: string(res.Stderr)}
	}
	return res, err
}

func (m *master) append(t *testing.T, runs ...Run) {
	t.Helper()
	for _, r := range runs {
		if err := Append(t.Context(), m, r); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *master) read(t *testing.T) []Run {
	t.Helper()
	runs, err := Read(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// write puts text where the runs are.
func (m *master) write(t *testing.T, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(m.dir, 0o700), os.WriteFile(m.runs(), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (m *master) runs() string { return filepath.Join(m.dir, "runs.jsonl") }

// ids are the names of runs.
func ids(runs []Run) string {
	var names []string
	for _, r := range runs {
		names = append(names, r.Run)
	}
	return strings.Join(names, " ")
}

func runOf(id string, epoch uint64) Run {
	return Run{
		SchemaVersion: 1, Run: id, Epoch: epoch, Owner: "alice@admin", Command: "drover apply", Inventory: "sha256:0",
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Outcome: Begun,
	}
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	eachShell(t, func(t *testing.T, m *master) {
		if got := m.read(t); got != nil {
			t.Errorf("before any: %+v", got)
		}
		if _, err := os.Stat(filepath.Dir(m.dir)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("reading made a directory: %v", err)
		}
		begun, done := runOf("a", 3), runOf("a", 3)
		done.Outcome, done.Ended = Done, done.Began.Add(time.Minute)
		done.Changes, done.IDs, done.More = map[string]int{"done": 31}, []string{"kube-master-1/file/etc/a"}, 30
		m.append(t, begun, done)
		if d := cmp.Diff([]Run{begun, done}, m.read(t)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		info, err := os.Stat(m.runs())
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
}

// As many are kept as there is room for, and they are the latest.
func TestTheOldestGo(t *testing.T) {
	eachShell(t, func(t *testing.T, m *master) {
		m.keep = 3
		for n := range 5 {
			m.append(t, runOf(fmt.Sprint(n), uint64(n)))
		}
		if got := ids(m.read(t)); got != "2 3 4" {
			t.Errorf("kept: %s", got)
		}
		m.keep = 0
		var all strings.Builder
		for n := range keep {
			fmt.Fprintf(&all, "{\"run\":\"%d\"}\n", n)
		}
		m.write(t, all.String())
		m.append(t, runOf("last", 1))
		if got := m.read(t); len(got) != keep || got[0].Run != "1" || got[keep-1].Run != "last" {
			t.Errorf("of %d and one more: %d, %s", keep, len(got), ids(got))
		}
	})
}

// What cannot be read, a later version's or nobody's, is kept as it is and stands in
// nobody's way. What can be read of a later version's is.
func TestForeignLinesAreKeptAndPassedOver(t *testing.T) {
	const lines = `{"schema_version":2,"run":"later","epoch":7,"owner":"bob@admin","outcome":"postponed","novelty":{"a":[1]}}
{"schema_version":3,"run":["an","array"],"epoch":8}
not json

{"owner":"nobody"}
{"run":"cut off","ow
`
	eachShell(t, func(t *testing.T, m *master) {
		m.write(t, lines)
		m.append(t, runOf("mine", 9))
		got := m.read(t)
		if ids(got) != "later mine" || got[0].SchemaVersion != 2 || got[0].Epoch != 7 || got[0].Outcome != "postponed" {
			t.Errorf("read: %+v", got)
		}
		if text, err := os.ReadFile(m.runs()); err != nil || !strings.HasPrefix(string(text), lines) {
			t.Errorf("%v, kept:\n%s", err, text)
		}
	})
}

// A last line that lacks its end, as a full disk or an editor leaves it, takes no
// later run along.
func TestATornLineTakesNoOtherAlong(t *testing.T) {
	eachShell(t, func(t *testing.T, m *master) {
		m.write(t, "{\"run\":\"a\"}\n{\"run\":\"torn\",\"ow")
		if got := ids(m.read(t)); got != "a" {
			t.Errorf("read: %s", got)
		}
		m.append(t, runOf("b", 2))
		m.append(t, runOf("c", 3))
		if got := ids(m.read(t)); got != "a b c" {
			t.Errorf("read after two more: %s", got)
		}
	})
}

// Whatever a text holds, it is read back as it was, and is a line.
func TestTextsAreKeptAsTheyAre(t *testing.T) {
	eachShell(t, func(t *testing.T, m *master) {
		r := runOf("a", 1)
		r.Owner = "o'wner@$(reboot)`id`"
		r.Command = "x\n@@drover-history@@ end\n\x1b[2J\x1b]0;title\a\r\t\\n %s %n \u2028\u202e\" ü"
		m.append(t, r, runOf("b", 2))
		if d := cmp.Diff([]Run{r, runOf("b", 2)}, m.read(t)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if text, err := os.ReadFile(m.runs()); err != nil || bytes.Count(text, []byte("\n")) != 2 || bytes.ContainsRune(text, '\x1b') {
			t.Errorf("%v: %q", err, text)
		}
	})
}

// A shell's start-up files may print anything but the end.
func TestABannerIsNoHistory(t *testing.T) {
	eachShell(t, func(t *testing.T, m *master) {
		m.append(t, runOf("a", 1))
		m.banner = "Welcome\n{\"run\":\"banner\"}\n"
		if got := ids(m.read(t)); got != "a" {
			t.Errorf("read: %s", got)
		}
	})
}

// What a killed run leaves is cleared away by the next one.
func TestDraftsAreClearedAway(t *testing.T) {
	eachShell(t, func(t *testing.T, m *master) {
		m.append(t, runOf("a", 1))
		if err := os.WriteFile(filepath.Join(m.dir, ".runs.killed"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		m.append(t, runOf("b", 2))
		entries, err := os.ReadDir(m.dir)
		if err != nil || len(entries) != 1 || entries[0].Name() != "runs.jsonl" {
			t.Errorf("%v, %v", entries, err)
		}
	})
}

// What cannot be written is an error, and what was there stays.
func TestAFailedAppendSpoilsNothing(t *testing.T) {
	eachShell(t, func(t *testing.T, m *master) {
		m.append(t, runOf("a", 1))
		whole := m.dir
		m.dir = filepath.Join(m.runs(), "below-a-file")
		var exit *host.ExitError
		if err := Append(t.Context(), m, runOf("b", 2)); !errors.As(err, &exit) || exit.Exit != 74 {
			t.Errorf("%v", err)
		}
		m.dir = whole
		if got := ids(m.read(t)); got != "a" {
			t.Errorf("read: %s", got)
		}
	})
}
