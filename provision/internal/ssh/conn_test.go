package ssh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

func TestCommands(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.HandleScript("# facts", func(_ *hosttest.State, c hosttest.Call) host.Result {
		return host.Result{Stdout: append([]byte("got "), c.Stdin...), Stderr: []byte("a warning"), Exit: 3}
	})
	h.Edit(func(s *hosttest.State) { s.Sysctls["net.ipv4.ip_forward"] = "1" })
	c := dial(t, targetOf(s), bare(t))

	res, err := c.Run(context.Background(), run("sysctl", "-n", "net.ipv4.ip_forward"))
	if err != nil || string(res.Stdout) != "1\n" || res.Exit != 0 {
		t.Errorf("sysctl: %q %v", res.Stdout, err)
	}
	res, err = c.Probe(context.Background(), host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader("# facts\necho\n")})
	if err != nil || string(res.Stdout) != "got # facts\necho\n" || string(res.Stderr) != "a warning" || res.Exit != 3 {
		t.Errorf("script: %q %q %d %v", res.Stdout, res.Stderr, res.Exit, err)
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	st := c.Stats()
	if st.Execs != 2 || st.Sent < 1000 || st.Received < 1000 {
		t.Errorf("stats %+v", st)
	}
}

func TestQuoting(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	var got []string
	h.Handle("echo", func(_ *hosttest.State, c hosttest.Call) host.Result {
		got = c.Argv
		return host.Result{}
	})
	want := []string{"echo", "a b", "it's", `"$HOME"`, "`x`", "", "-n", "new\nline", "*;&|", `\`, "ü"}
	if _, err := dial(t, targetOf(s), bare(t)).Run(context.Background(), run(want...)); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q", got)
	}
}

func TestExitError(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Handle("login", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Exit: 7, Stderr: []byte("token hunter2 is bad")}
	})
	var traces []ssh.Trace
	o := bare(t)
	o.Trace = func(tr ssh.Trace) { traces = append(traces, tr) }
	_, err := dial(t, targetOf(s), o).Run(context.Background(), host.Cmd{Argv: []string{"login", "--as", "hunter2"}, Hide: []string{"hunter2"}})
	var e *host.ExitError
	if !errors.As(err, &e) {
		t.Fatalf("%T %v", err, err)
	}
	if *e != (host.ExitError{Host: "node-1", Cmd: "login --as '***'", Exit: 7, Stderr: "token *** is bad"}) && e.Cmd != "login --as ***" {
		t.Errorf("%+v", e)
	}
	if len(traces) != 1 || traces[0].Exit != 7 || traces[0].Host != "node-1" || strings.Contains(traces[0].Cmd, "hunter2") {
		t.Errorf("traces %+v", traces)
	}
}

// A shell that prints before it runs anything must not spoil what is read.
func TestBanner(t *testing.T) {
	h, s := served(t, hosttest.Config{Banner: "Welcome!\nAuthorised use only\n"})
	h.Edit(func(s *hosttest.State) { s.Sysctls["a"] = "1" })
	c := dial(t, targetOf(s), bare(t))
	res, err := c.Probe(context.Background(), run("sysctl", "-n", "a"))
	if err != nil || string(res.Stdout) != "1\n" || len(res.Stderr) != 0 {
		t.Errorf("%q %q %v", res.Stdout, res.Stderr, err)
	}
}

func TestWriteFile(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	c := dial(t, targetOf(s), bare(t))
	err := c.WriteFile(context.Background(), "/etc/kubernetes/pki/ca.key", []byte("PRIVATE"), host.FileMeta{Mode: 0o600, Owner: "etcd:etcd"})
	if err != nil {
		t.Fatal(err)
	}
	st := h.State()
	f := st.Files["/etc/kubernetes/pki/ca.key"]
	if f.Content != "PRIVATE" || f.Mode != 0o600 || f.Owner != "etcd:etcd" {
		t.Errorf("%+v", f)
	}
	if d := st.Files["/etc/kubernetes/pki"]; d.Kind != hosttest.Directory || d.Mode != 0o755 {
		t.Errorf("parent %+v", d)
	}
	if leaks := h.Leaks("PRIVATE"); leaks != nil {
		t.Error(leaks)
	}
	for _, bad := range []string{"", "etc/x", "/etc/"} {
		if err := c.WriteFile(context.Background(), bad, nil, host.FileMeta{}); err == nil {
			t.Errorf("%q was written", bad)
		}
	}
}

func TestWriteFiles(t *testing.T) {
	h, s := served(t, hosttest.Config{User: "ops", Sudo: hosttest.Sudo{Password: "pw"}})
	o := bare(t)
	target := targetOf(s)
	target.User, target.Become = "ops", ssh.BecomeSudo
	target.SudoPassword = func(context.Context) (string, error) { return "pw", nil }
	err := dial(t, target, o).WriteFiles(context.Background(), []host.File{
		{Path: "/etc/a.key", Content: []byte("PRIVATE"), FileMeta: host.FileMeta{Mode: 0o600}},
		{Path: "/etc/b", FileMeta: host.FileMeta{Mode: 0o644, Owner: "etcd:etcd"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a, b := h.State().Files["/etc/a.key"], h.State().Files["/etc/b"]
	if a.Content != "PRIVATE" || a.Mode != 0o600 || a.Owner != "root:root" || b.Kind != hosttest.Regular || b.Owner != "etcd:etcd" {
		t.Errorf("%+v\n%+v", a, b)
	}
	if leaks := h.Leaks("PRIVATE"); leaks != nil {
		t.Error(leaks)
	}
}

func TestWriteFileFails(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Inject(hosttest.Fault{Match: "drover-write", Do: hosttest.Fail, Exit: 1, Stderr: "mktemp: Read-only file system"})
	err := dial(t, targetOf(s), bare(t)).WriteFile(context.Background(), "/etc/x", []byte("content"), host.FileMeta{Mode: 0o600})
	var e *host.ExitError
	if !errors.As(err, &e) || e.Cmd != "write /etc/x" || e.Exit != 1 {
		t.Errorf("%#v", err)
	}
	if _, there := h.State().Files["/etc/x"]; there {
		t.Error("it is there")
	}
}

// A local read that fails must not look like the end of the content.
func TestSourceFails(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	h.Handle("apply", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{} })
	c := dial(t, targetOf(s), bare(t))
	broken := errors.New("disk on fire")
	_, err := c.Run(context.Background(), host.Cmd{Argv: []string{"apply"}, Stdin: io.MultiReader(strings.NewReader("half"), failing{broken})})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, err := c.Run(context.Background(), run("true")); err != nil {
		t.Errorf("the connection is spoilt: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestManySessions(t *testing.T) {
	h, s := served(t, hosttest.Config{Latency: time.Millisecond})
	c := dial(t, targetOf(s), bare(t))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.Run(context.Background(), run("true")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(h.Ops()); n != 50 || s.Connections() != 1 {
		t.Errorf("%d operations over %d connections", n, s.Connections())
	}
}

func TestTunnel(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "pong "+r.URL.Path)
	}))
	defer web.Close()
	c := dial(t, targetOf(s), bare(t))
	client := http.Client{Transport: &http.Transport{DialContext: c.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get(web.URL + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "pong /ping" {
		t.Errorf("%q %v", body, err)
	}
	_, err = c.DialContext(context.Background(), "tcp", "127.0.0.1:1")
	wantUnreachable(t, err, "node-1", "127.0.0.1:1", "refused")
}

func TestTunnelDeadline(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := dial(t, targetOf(s), bare(t)).DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestTunnelForbidden(t *testing.T) {
	_, s := served(t, hosttest.Config{NoForwarding: true})
	_, err := dial(t, targetOf(s), bare(t)).DialContext(context.Background(), "tcp", "127.0.0.1:1")
	wantUnreachable(t, err, "AllowTcpForwarding")
}
