package runlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

var begin = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func options(t *testing.T, dir string) Options {
	now := begin
	return Options{
		Dir: dir, Getenv: func(string) string { return "" },
		Clean:   func(s string) string { return strings.ReplaceAll(s, "s3cret", "***") },
		Trouble: func(err error) { t.Error(err) },
		Now:     func() time.Time { now = now.Add(time.Second); return now },
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestALogTellsARunFromBeginningToEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "runs")
	l, err := Open(Header{
		Command: "bgp status", Args: []string{"s3cret"}, Flags: []string{"var=password"}, Inventory: []string{"i.hcl"},
		InventorySHA256: "0f", Drover: "(devel)", User: "ops", Machine: "admin", PID: 7,
	}, options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	l.Event(report.Event{
		Time: begin, Kind: report.Failed, ID: plan.NewID("kube-node-1", "file", "/etc/f"), Action: plan.Create,
		Err: errors.New("it said s3cret"), Took: 1500 * time.Millisecond,
	})
	l.Command(report.Command{Host: "kube-node-1", Text: "sh -s", Start: begin, Took: time.Second, Exit: 0, Sent: 11, Received: 7})
	l.Command(report.Command{Host: "kube-node-1", Text: "echo s3cret", Start: begin, Err: errors.New("the connection was cut")})
	l.End(130)
	l.Event(report.Event{Kind: report.Note, Text: "too late"})
	got, err := os.ReadFile(l.Path())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schema_version":1,"time":"2026-08-01T12:00:01Z","kind":"run","command":"bgp status","args":["***"],"flags":["var=password"],"inventory":["i.hcl"],"inventory_sha256":"0f","drover":"(devel)","user":"ops","machine":"admin","pid":7}
{"schema_version":1,"time":"2026-08-01T12:00:00Z","kind":"failed","host":"kube-node-1","id":"kube-node-1/file:/etc/f","action":"create","error":"it said ***","took_ms":1500}
{"schema_version":1,"time":"2026-08-01T12:00:00Z","kind":"command","host":"kube-node-1","text":"sh -s","took_ms":1000,"exit":0,"sent":11,"received":7}
{"schema_version":1,"time":"2026-08-01T12:00:00Z","kind":"command","host":"kube-node-1","text":"echo ***","error":"the connection was cut","took_ms":0,"sent":0,"received":0}
{"schema_version":1,"time":"2026-08-01T12:00:02Z","kind":"end","exit_code":130,"took_ms":1000}
`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if name := fmt.Sprintf("20260801T120001.000Z-%d-bgp-status.jsonl", os.Getpid()); filepath.Base(l.Path()) != name {
		t.Errorf("it is called %s, not %s", filepath.Base(l.Path()), name)
	}
	if f, d := mode(t, l.Path()), mode(t, dir); f != 0o600 || d != 0o700 {
		t.Errorf("modes %o and %o", f, d)
	}
}

// The default directory is made private again; one that the operator named is not
// touched.
func TestOnlyOurOwnDirectoryIsChanged(t *testing.T) {
	for _, named := range []bool{false, true} {
		state := t.TempDir()
		dir := filepath.Join(state, "drover", "runs")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		o, want := options(t, dir), fs.FileMode(0o755)
		if !named {
			o.Dir, want = "", 0o700
			o.Getenv = func(name string) string { return map[string]string{"XDG_STATE_HOME": state}[name] }
		}
		l, err := Open(Header{Command: "apply"}, o)
		if err != nil {
			t.Fatal(err)
		}
		l.End(0)
		if got := mode(t, dir); got != want || filepath.Dir(l.Path()) != dir {
			t.Errorf("named %v: mode %o, want %o, of %s", named, got, want, l.Path())
		}
	}
}

func TestDir(t *testing.T) {
	for env, want := range map[[2]string]string{
		{"/state", "/home/ops"}:   "/state/drover/runs",
		{"state", "/home/ops"}:    "/home/ops/.local/state/drover/runs",
		{"", "/home/ops"}:         "/home/ops/.local/state/drover/runs",
		{"", ""}:                  "/var/log/drover",
		{"/var/lib/state/s1", ""}: "/var/lib/state/s1/drover/runs",
	} {
		if os.Geteuid() != 0 && want == "/var/log/drover" {
			continue
		}
		got, err := Dir(func(name string) string { return map[string]string{"XDG_STATE_HOME": env[0], "HOME": env[1]}[name] })
		if err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", env, got, err, want)
		}
	}
}

// Old logs of the same command go; other commands' and other people's files stay.
func TestOldLogsArePruned(t *testing.T) {
	dir := t.TempDir()
	touch := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range Keep + 5 {
		touch(fmt.Sprintf("20260701T%06d.000Z-1-apply.jsonl", n))
	}
	stay := []string{"20200101T000000.000Z-1-plan.jsonl", "20200101T000000.000Z-1-apply.jsonl.gz", "notes.txt", "apply.jsonl"}
	for _, name := range stay {
		touch(name)
	}
	l, err := Open(Header{Command: "apply"}, options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	l.End(0)
	left, err := filepath.Glob(filepath.Join(dir, "*-apply.jsonl"))
	if err != nil || len(left) != Keep || left[Keep-1] != l.Path() || filepath.Base(left[0]) != "20260701T000006.000Z-1-apply.jsonl" {
		t.Errorf("%d left, %v: %v", len(left), err, left)
	}
	for _, name := range stay {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestNoLog(t *testing.T) {
	l, err := Open(Header{Command: "apply"}, Options{Dir: None})
	if l != nil || err != nil {
		t.Errorf("%v, %v", l, err)
	}
	l.Event(report.Event{})
	l.Command(report.Command{})
	l.End(0)
	if l.Path() != "" {
		t.Error(l.Path())
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if l, err := Open(Header{Command: "apply"}, options(t, dir)); l != nil || err == nil {
			t.Errorf("a log in %s: %v", dir, err)
		}
	}
}

// A disk that has become full is told of once.
func TestALogThatCannotBeWrittenIsGivenUp(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	o := options(t, "")
	var told []error
	l := &Log{o: o, path: "the.jsonl", file: full}
	l.o.Trouble = func(err error) {
		told = append(told, err)
		l.Event(report.Event{Kind: report.Warning}) // what is told is an event, too
	}
	for range 3 {
		l.Event(report.Event{Kind: report.Note})
	}
	l.End(0)
	if len(told) != 1 || !strings.HasPrefix(told[0].Error(), "the.jsonl is not complete: ") {
		t.Errorf("told %v", told)
	}
}

func TestDigest(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.hcl"), filepath.Join(dir, "b.hcl")
	sums := map[string]bool{}
	for _, content := range []string{"x", "y"} {
		for _, name := range []string{a, b} {
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			sums[Digest([]string{a, b})] = true
		}
	}
	if again := Digest([]string{a, b}); len(sums) != 4 || !sums[again] {
		t.Errorf("%d digests of 4 states", len(sums))
	}
}
