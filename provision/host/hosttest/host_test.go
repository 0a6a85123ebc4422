package hosttest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// failures is a TB that keeps what would fail a test.
type failures []string

func (f *failures) Helper()                      {}
func (f *failures) Errorf(s string, args ...any) { *f = append(*f, fmt.Sprintf(s, args...)) }

func (f *failures) want(t *testing.T, words string) {
	t.Helper()
	if len(*f) != 1 || !strings.Contains((*f)[0], words) {
		t.Errorf("the test would fail with %q, want one with %q", *f, words)
	}
	*f = nil
}

func do(t *testing.T, h *Host, argv ...string) string {
	t.Helper()
	res, err := h.Run(context.Background(), host.Cmd{Argv: argv})
	if err != nil {
		t.Errorf("%q: %v", argv, err)
	}
	return string(res.Stdout)
}

func exits(t *testing.T, h *Host, code int, argv ...string) {
	t.Helper()
	_, err := h.Run(context.Background(), host.Cmd{Argv: argv})
	var e *host.ExitError
	if !errors.As(err, &e) || e.Exit != code || e.Stderr == "" && argv[0] != "test" {
		t.Errorf("%q: %v, want exit code %d", argv, err, code)
	}
}

func TestUnknownFails(t *testing.T) {
	f := &failures{}
	h := New(f, "node-1")
	if _, err := h.Run(context.Background(), host.Cmd{Argv: []string{"reboot", "now"}}); err == nil {
		t.Error("an unknown command succeeds")
	}
	f.want(t, `unknown command ["reboot" "now"]`)
	if _, err := h.Probe(context.Background(), host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader("# facts 2\nid")}); err == nil {
		t.Error("an unknown script succeeds")
	}
	f.want(t, `unknown script that begins with "# facts 2"`)
	h.Run(context.Background(), host.Cmd{})
	f.want(t, "without words")
}

func TestProbeMustNotChange(t *testing.T) {
	for name, change := range map[string]func(*State){
		"file":    func(s *State) { s.Put("/etc/x", "", 0o644, "root:root") },
		"content": func(s *State) { s.Put("/etc/old", "new", 0o644, "root:root") },
		"mode":    func(s *State) { f := s.Files["/etc/old"]; f.Mode = 0; s.Files["/etc/old"] = f },
		"unit":    func(s *State) { s.Units["a.service"] = Unit{Enabled: true} },
		"sysctl":  func(s *State) { s.Sysctls["a"] = "1" },
		"package": func(s *State) { s.Packages["a"] = "1" },
		"reload":  func(s *State) { s.Reloads++ },
	} {
		f := &failures{}
		h := New(f, "node-1")
		h.Edit(func(s *State) { s.Put("/etc/old", "old", 0o644, "root:root") })
		h.HandleScript("# facts", func(s *State, _ Call) host.Result { change(s); return host.Result{} })
		facts := func() host.Cmd { return host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader("# facts\n")} }
		was := h.State().Dump()
		if _, err := h.Probe(context.Background(), facts()); err == nil {
			t.Errorf("%s: the probe succeeds", name)
		}
		f.want(t, "changed the machine")
		if h.State().Dump() != was {
			t.Errorf("%s: the change stays", name)
		}
		if _, err := h.Run(context.Background(), facts()); err != nil || len(*f) != 0 || h.State().Dump() == was {
			t.Errorf("%s: a command may change it: %v %q", name, err, *f)
		}
	}
}

func TestFiles(t *testing.T) {
	h := New(t, "node-1")
	err := h.WriteFile(context.Background(), "/opt/etcd/1/etcd", []byte("binary"), host.FileMeta{Mode: 0o755})
	if err != nil {
		t.Fatal(err)
	}
	if f := h.State().Files["/opt/etcd/1/etcd"]; f.Mode != 0o755 || f.Owner != "root:root" || f.Kind != Regular {
		t.Errorf("%+v", f)
	}
	do(t, h, "ln", "-sfn", "1", "/opt/etcd/current")
	if got := do(t, h, "cat", "/opt/etcd/current/etcd"); got != "binary" {
		t.Errorf("through a symlink: %q", got)
	}
	if got := do(t, h, "readlink", "/opt/etcd/current") + do(t, h, "readlink", "-f", "/opt/etcd/current/etcd"); got != "1\n/opt/etcd/1/etcd\n" {
		t.Errorf("%q", got)
	}
	if got := do(t, h, "sha256sum", "/opt/etcd/1/etcd"); got != "9a3a45d01531a20e89ac6ae10b0b0beb0492acd7216a368aa062d1a5fecaf9cd  /opt/etcd/1/etcd\n" {
		t.Errorf("%q", got)
	}
	if err := h.WriteFile(context.Background(), "/opt/etcd/current/conf/a", nil, host.FileMeta{Mode: 0o600}); err != nil {
		t.Error(err)
	}
	do(t, h, "test", "-f", "/opt/etcd/1/conf/a")
	do(t, h, "test", "-L", "/opt/etcd/current")
	exits(t, h, 1, "test", "-L", "/opt/etcd/1")
	exits(t, h, 1, "test", "-e", "/opt/none")

	do(t, h, "mkdir", "-p", "/a/b")
	exits(t, h, 1, "mkdir", "/a/b")
	exits(t, h, 1, "mkdir", "/x/y")
	do(t, h, "chmod", "0700", "/a/b")
	do(t, h, "chown", "etcd:etcd", "/a/b")
	if f := h.State().Files["/a/b"]; f.Mode != 0o700 || f.Owner != "etcd:etcd" {
		t.Errorf("%+v", f)
	}
	exits(t, h, 1, "chmod", "0700", "/none")
	do(t, h, "mv", "-f", "/opt/etcd/1/etcd", "/a/b")
	do(t, h, "test", "-x", "/a/b/etcd")
	exits(t, h, 1, "mv", "-fT", "/opt", "/a")
	exits(t, h, 1, "rm", "/a")
	exits(t, h, 1, "rm", "/none")
	exits(t, h, 1, "cat", "/a")
	exits(t, h, 1, "rm", "-rf", "/")
	do(t, h, "rm", "-rf", "/a", "/none")
	if names := h.State().Files; names["/a"].Kind != "" || names["/a/b/etcd"].Kind != "" {
		t.Error("rm -rf leaves something")
	}
	exits(t, h, 64, "rm", "--one-file-system", "/opt")
	if err := h.WriteFile(context.Background(), "/opt", nil, host.FileMeta{}); err == nil {
		t.Error("a directory was written")
	}
	var st = h.State()
	if _, _, err := st.Resolve("/nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	do(t, h, "ln", "-s", "/loop", "/loop")
	st = h.State()
	if _, _, err := st.Resolve("/loop"); err == nil {
		t.Error("a symlink to itself resolves")
	}
}

func TestTimeMovesWithChanges(t *testing.T) {
	h := New(t, "node-1")
	now := h.State().Now
	do(t, h, "mkdir", "-p", "/a")
	if got := h.State().Now; got != now.Add(time.Second) {
		t.Errorf("%s", got)
	}
	do(t, h, "mkdir", "-p", "/a")
	if got := h.State().Now; got != now.Add(time.Second) {
		t.Errorf("%s after nothing", got)
	}
}

func TestUnits(t *testing.T) {
	h := New(t, "node-1")
	h.Edit(func(s *State) {
		s.Units["kubelet.service"] = Unit{}
		s.Units["bad.service"] = Unit{FailStart: "port in use"}
	})
	exits := func(code int, argv ...string) {
		t.Helper()
		if res, err := h.Probe(context.Background(), host.Cmd{Argv: argv}); err != nil || res.Exit != code {
			t.Errorf("%q: %d %v", argv, res.Exit, err)
		}
	}
	exits(3, "systemctl", "is-active", "kubelet")
	exits(1, "systemctl", "is-enabled", "kubelet")
	do(t, h, "systemctl", "enable", "--now", "kubelet")
	exits(0, "systemctl", "is-active", "--quiet", "kubelet.service")
	exits(0, "systemctl", "is-enabled", "kubelet")
	started := h.State().Units["kubelet.service"].Started
	do(t, h, "systemctl", "start", "kubelet") // runs already
	if u := h.State().Units["kubelet.service"]; u.Starts != 1 || u.Started != started {
		t.Errorf("%+v", u)
	}
	do(t, h, "systemctl", "restart", "kubelet")
	if u := h.State().Units["kubelet.service"]; u.Starts != 2 || !u.Started.After(started) {
		t.Errorf("%+v", u)
	}
	if got := do(t, h, "systemctl", "show", "-p", "LoadState,ActiveState,UnitFileState", "kubelet", "none"); got !=
		"LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n" {
		t.Errorf("%q", got)
	}
	do(t, h, "systemctl", "disable", "--now", "kubelet")
	exits(3, "systemctl", "is-active", "kubelet")
	do(t, h, "systemctl", "mask", "kubelet")
	do(t, h, "systemctl", "daemon-reload")
	if h.State().Reloads != 1 {
		t.Error("no reload")
	}
	for argv, want := range map[string]struct {
		exit  int
		words string
	}{
		"systemctl start kubelet":     {1, "failed"}, // masked
		"systemctl restart bad":       {1, "port in use"},
		"systemctl start none":        {5, "not found"},
		"systemctl isolate kubelet":   {64, "not played"},
		"systemctl start --dry-run x": {64, "not played"},
	} {
		_, err := h.Run(context.Background(), host.Cmd{Argv: strings.Fields(argv)})
		var e *host.ExitError
		if !errors.As(err, &e) || e.Exit != want.exit || !strings.Contains(e.Stderr, want.words) {
			t.Errorf("%s: %v", argv, err)
		}
	}
}

func TestSysctls(t *testing.T) {
	h := New(t, "node-1")
	exits(t, h, 255, "sysctl", "-n", "net.ipv4.ip_forward")
	if got := do(t, h, "sysctl", "-w", "net.ipv4.ip_forward=1"); got != "net.ipv4.ip_forward = 1\n" {
		t.Errorf("%q", got)
	}
	if got := do(t, h, "sysctl", "-n", "net.ipv4.ip_forward"); got != "1\n" {
		t.Errorf("%q", got)
	}
}

func TestRecordAndLeaks(t *testing.T) {
	h := New(t, "node-1")
	h.Handle("join", func(*State, Call) host.Result { return host.Result{} })
	put := func(mode fs.FileMode) {
		t.Helper()
		if err := h.WriteFile(context.Background(), "/etc/token", []byte("hunter2"), host.FileMeta{Mode: mode}); err != nil {
			t.Fatal(err)
		}
	}
	put(0o600)
	if l := h.Leaks("hunter2"); l != nil {
		t.Errorf("%q", l)
	}
	put(0o644)
	do(t, h, "join", "--token=hunter2")
	if l := h.Leaks("hunter2"); len(l) != 2 {
		t.Errorf("%q", l)
	}
	ops := h.Ops()
	if len(ops) != 3 || ops[0].Path != "/etc/token" || ops[0].StdinSize != 7 || ops[2].Kind != OpRun || !ops[2].Ended ||
		ops[0].StdinSHA256 != "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7" {
		t.Errorf("%+v", ops)
	}
	h.Forget()
	if len(h.Ops()) != 0 {
		t.Error("not forgotten")
	}
}

func TestFaults(t *testing.T) {
	h := New(t, "node-1")
	write := func(ctx context.Context) error {
		return h.WriteFile(ctx, "/x", []byte("x"), host.FileMeta{Mode: 0o600})
	}
	there := func() bool { _, ok := h.State().Files["/x"]; return ok }

	h.Inject(Fault{N: 2, Do: Fail, Exit: 28, Stderr: "No space left on device"})
	do(t, h, "true")
	exits(t, h, 28, "true")
	do(t, h, "true") // once

	var lost *host.UnreachableError
	h.Inject(Fault{Match: "/x", Do: Cut})
	if err := write(context.Background()); !errors.As(err, &lost) || there() {
		t.Errorf("cut before: %v, written: %v", err, there())
	}
	h.Inject(Fault{Match: "/x", Do: Cut, When: After})
	if err := write(context.Background()); !errors.As(err, &lost) || !there() {
		t.Errorf("cut after: %v, written: %v", err, there())
	}
	h.Inject(Fault{Do: Hang})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := write(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hang: %v", err)
	}
	h.Inject(Fault{Do: Hang})
	if _, err := h.Run(context.Background(), host.Cmd{Argv: []string{"true"}, Limit: 10 * time.Millisecond}); !errors.As(err, &lost) {
		t.Errorf("limit: %v", err)
	}
}

func TestWords(t *testing.T) {
	in := []string{"a b", "it's", "", "$x", "\n", `\`, "plain"}
	var quoted []string
	for _, w := range in {
		quoted = append(quoted, host.Quote(w))
	}
	got, err := words(strings.Join(quoted, " "))
	if err != nil || strings.Join(got, "|") != strings.Join(in, "|") {
		t.Errorf("%q %v", got, err)
	}
	for _, bad := range []string{"a;b", "$x", "`id`", "'open", "a>b", "a*", `"x"`} {
		if got, err := words(bad); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

func TestRebootLeavesWhatIsEnabled(t *testing.T) {
	h := New(t, "h1")
	h.Edit(func(s *State) {
		s.Units["a.service"] = Unit{Active: true, Enabled: true}
		s.Units["b.service"] = Unit{Active: true}
		s.Sysctls["x"], s.Sysctls["y"] = "1", "1"
		for name, content := range map[string]string{"/etc/sysctl.d/50-h.conf": "# kept\n-x = 2\n", "/run/lock": "held"} {
			if err := s.Put(name, content, 0o644, "root:root"); err != nil {
				t.Fatal(err)
			}
		}
	})
	h.Reboot()
	s := h.State()
	if _, kept := s.Files["/run/lock"]; kept || !s.Units["a.service"].Active || s.Units["b.service"].Active || len(s.Sysctls) != 1 || s.Sysctls["x"] != "2" {
		t.Errorf("%s", s.Dump())
	}
}

func TestFullDiskUntilFree(t *testing.T) {
	h := New(t, "h1")
	write := func(content string) error {
		return h.WriteFile(t.Context(), "/etc/motd", []byte(content), host.FileMeta{Mode: 0o644})
	}
	h.Inject(Fault{N: 2, Do: Full})
	err := write("one")
	full := write("two")
	if was := h.State().Files["/etc/motd"].Content; err != nil || full == nil || !strings.Contains(full.Error(), "No space left") || was != "one" {
		t.Errorf("%v, then %v: %s", err, full, was)
	}
	if _, err := h.Run(t.Context(), host.Cmd{Argv: []string{"rm", "-f", "--", "/etc/motd"}}); err != nil {
		t.Errorf("what takes no room: %v", err)
	}
	h.Mend()
	if err := write("two"); err != nil || h.State().Files["/etc/motd"].Content != "two" {
		t.Error(err)
	}
}
