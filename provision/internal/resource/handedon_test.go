package resource

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/fanout"
	"github.com/droverctl/drover/provision/plan"
)

// freePort is one that is free on all of the hosts' addresses.
func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

// origin is a mirror that counts what it is asked for.
func origin(t *testing.T, files map[string]string) (url string, asked func(path string) int) {
	var mu sync.Mutex
	count := map[string]int{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		count[r.URL.Path]++
		fmt.Fprint(w, files[r.URL.Path])
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String(), func(path string) int {
		mu.Lock()
		defer mu.Unlock()
		return count[path]
	}
}

// warnings are those of a distribution.
type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) add(name, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, name+": "+text)
}

// distribution is an artifact that hosts hand on to each other.
func distribution(as []Artifact, hosts ...*shell) (*fanout.Peers, *warnings, uint16) {
	w := &warnings{}
	port := freePort(hosts[0].t)
	c := fanout.Config{Dir: OptDir + "/.fan-out", Port: port, Addresses: map[string]netip.Addr{}, Wanted: map[string]int{}, Warn: w.add}
	for _, h := range hosts {
		c.Addresses[h.name] = h.address
	}
	for _, a := range as {
		c.Wanted[a.Sum()] = len(hosts)
	}
	return fanout.New(c), w, port
}

func apply(t *testing.T, p *fanout.Peers, a Artifact, h *shell) error {
	t.Helper()
	a.Host = h.name
	return a.Apply(t.Context(), World{Hosts: map[string]host.Writer{h.name: h}, Peers: p}, plan.Change{})
}

func release(url, component, content string) Artifact {
	sum := sha256.Sum256([]byte(content))
	return Artifact{Component: component, Version: "1", Strip: 1, URL: url, SHA256: fmt.Sprintf("sha256:%x", sum)}
}

// A program and an archive come from the origin once, and from host to host after
// that. What was handed on is what was sent, nobody who was not told gets anything,
// and nothing that serves stays, nor any copy.
func TestHostsHandReleasesOn(t *testing.T) {
	a, b, c := newShell(t, "a", 1), newShell(t, "b", 2), newShell(t, "c", 3)
	program, tgz := strings.Repeat("kubelet", 1<<18), archive(t, "etcd")
	url, asked := origin(t, map[string]string{"/kubelet": program, "/etcd.tgz": tgz})
	kubelet, etcd := release(url+"/kubelet", "kubelet", program), release(url+"/etcd.tgz", "etcd", tgz)
	peers, warned, port := distribution([]Artifact{kubelet, etcd}, a, b, c)
	for _, r := range []Artifact{kubelet, etcd} {
		for _, h := range []*shell{a, b} {
			if err := apply(t, peers, r, h); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := fmt.Sprintf("http://%s:%d/", a.address, port)
	for _, path := range []string{"", kubelet.Sum(), "x/" + kubelet.Sum(), "../../etc/passwd", "x/serving"} {
		resp, err := http.Get(at + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%q: %s", path, resp.Status)
		}
	}
	for _, r := range []Artifact{kubelet, etcd} {
		if err := apply(t, peers, r, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range []*shell{a, b, c} {
		if h.installed("kubelet", "kubelet") != program || h.installed("etcd", "etcd") != strings.Repeat("etcd", 1<<20) {
			t.Errorf("%s has not what was released", h.name)
		}
		if conn, err := net.Dial("tcp", netip.AddrPortFrom(h.address, port).String()); err == nil {
			conn.Close()
			t.Errorf("%s still serves", h.name)
		}
		if left, _ := filepath.Glob(filepath.Join(h.top, "*/.*")); len(left) > 0 {
			t.Errorf("left on %s: %v", h.name, left)
		}
		if _, err := os.Stat(filepath.Join(h.top, ".fan-out")); !os.IsNotExist(err) {
			t.Errorf("%s keeps copies: %v", h.name, err)
		}
	}
	if asked("/kubelet") != 1 || asked("/etcd.tgz") != 1 || len(warned.all) > 0 {
		t.Errorf("the origin was asked %d and %d times; warnings: %v", asked("/kubelet"), asked("/etcd.tgz"), warned.all)
	}
	props, _ := os.ReadFile(filepath.Join(a.bin, "asked"))
	for _, want := range []string{"--property=User=nobody", "--property=RuntimeMaxSec=", "--property=ExecStopPost=+/bin/rm -rf " + a.top + "/.fan-out/"} {
		if !strings.Contains(string(props), want) {
			t.Errorf("its unit lacks %s: %s", want, props)
		}
	}
}

// Of two releases that come to a host at once, neither is handed on before something
// listens, however long that takes to begin.
func TestNobodyIsToldOfACopyTooEarly(t *testing.T) {
	a, b := newShell(t, "a", 1), newShell(t, "b", 2)
	run := filepath.Join(a.bin, "systemd-run")
	script, err := os.ReadFile(run)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(run, []byte(strings.Replace(string(script), "\n", "\nsleep 0.5\n", 1)), 0o755); err != nil {
		t.Fatal(err)
	}
	url, asked := origin(t, map[string]string{"/kubelet": "kubelet", "/kube-proxy": "kube-proxy"})
	releases := []Artifact{release(url+"/kubelet", "kubelet", "kubelet"), release(url+"/kube-proxy", "kube-proxy", "kube-proxy")}
	peers, warned, _ := distribution(releases, a, b)
	var all sync.WaitGroup
	for _, r := range releases {
		all.Go(func() {
			for _, h := range []*shell{a, b} { // b asks a as soon as it is told of it
				if err := apply(t, peers, r, h); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if asked("/kubelet") != 1 || asked("/kube-proxy") != 1 || len(warned.all) > 0 {
		t.Errorf("the origin was asked %d and %d times; warnings: %q", asked("/kubelet"), asked("/kube-proxy"), warned.all)
	}
}

// A host whose copy rots is found by who gets it, named, and left out; nothing of it
// is installed. One that cannot serve is none to ask.
func TestAWrongCopyIsCaught(t *testing.T) {
	a, b, c := newShell(t, "a", 1), newShell(t, "b", 2), newShell(t, "c", 3)
	program := strings.Repeat("kubelet", 1<<18)
	url, asked := origin(t, map[string]string{"/kubelet": program})
	r := release(url+"/kubelet", "kubelet", program)
	peers, warned, port := distribution([]Artifact{r}, a, b, c)
	if err := apply(t, peers, r, a); err != nil {
		t.Fatal(err)
	}
	flip(t, filepath.Join(a.top, "kubelet/1/kubelet"))
	taken, err := net.Listen("tcp", netip.AddrPortFrom(b.address, port).String())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, h := range []*shell{b, c} {
		if err := apply(t, peers, r, h); err != nil {
			t.Fatal(err)
		}
		if h.installed("kubelet", "kubelet") != program {
			t.Errorf("%s installed something else", h.name)
		}
	}
	if asked("/kubelet") != 3 {
		t.Errorf("the origin was asked %d times", asked("/kubelet"))
	}
	if len(warned.all) != 2 || !strings.HasPrefix(warned.all[0], "a: a hands on nothing any more: b: the copy of "+url+"/kubelet that a hands on has digest") ||
		!strings.HasPrefix(warned.all[1], "b: b cannot hand releases on: ") || !strings.Contains(warned.all[1], "Address already in use") {
		t.Errorf("warnings: %q", warned.all)
	}
}

// When drover's connection ends, because it was killed or its machine was, a host
// serves nothing any more and keeps no copy.
func TestServingEndsWithTheConnection(t *testing.T) {
	a, b := newShell(t, "a", 1), newShell(t, "b", 2)
	url, _ := origin(t, map[string]string{"/kubelet": "kubelet"})
	r := release(url+"/kubelet", "kubelet", "kubelet")
	peers, _, port := distribution([]Artifact{r}, a, b)
	// The host's sshd, which lives as long as the connection.
	script := filepath.Join(a.bin, "script")
	sshd := filepath.Join(a.bin, "sshd")
	if err := os.Symlink("/bin/dash", sshd); err != nil {
		t.Fatal(err)
	}
	cmd := a.command(sshd, "-c", "dash "+script+"; echo exit $?; read forever")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = peers.Get(t.Context(), a, r.Sum(), func(_ context.Context, way fanout.Way) (host.Result, error) {
		text := strings.ReplaceAll(whole(r.script(way)), OptDir, a.top)
		if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
			return host.Result{}, err
		}
		if err := cmd.Start(); err != nil {
			return host.Result{}, err
		}
		said := make([]byte, 100)
		n, err := io.ReadAtLeast(out, said, len("drover-serves\nexit 0\n"))
		return host.Result{Stdout: said[:n]}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(a.address, port).String()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	in.Close()
	if err := cmd.Wait(); err == nil {
		t.Error("its read is to fail")
	}
	a.servesNoMore(at)
}

// An installation that outlives the connection, because drover was killed while the
// host fetched, serves nobody either.
func TestNothingIsServedAfterTheConnection(t *testing.T) {
	a, b := newShell(t, "a", 1), newShell(t, "b", 2)
	asked, gate := make(chan struct{}), make(chan struct{})
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-gate
		fmt.Fprint(w, "kubelet")
	}))
	defer mirror.Close()
	r := release(mirror.URL+"/kubelet", "kubelet", "kubelet")
	peers, _, port := distribution([]Artifact{r}, a, b)
	script, sshd := filepath.Join(a.bin, "script"), filepath.Join(a.bin, "sshd")
	if err := os.Symlink("/bin/dash", sshd); err != nil {
		t.Fatal(err)
	}
	cmd := a.command(sshd, "-c", "dash "+script+"; true")
	err := peers.Get(t.Context(), a, r.Sum(), func(_ context.Context, way fanout.Way) (host.Result, error) {
		text := strings.ReplaceAll(whole(r.script(way)), OptDir, a.top) + "\n: >" + a.bin + "/ended\n"
		if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
			return host.Result{}, err
		}
		if err := cmd.Start(); err != nil {
			return host.Result{}, err
		}
		<-asked
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		close(gate)
		return host.Result{}, errors.New("drover was killed")
	})
	if err == nil {
		t.Fatal("it was killed")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(a.bin, "ended")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the installation does not end")
		}
	}
	a.servesNoMore(netip.AddrPortFrom(a.address, port).String())
}

// servesNoMore waits until the host serves nothing and keeps no copy.
func (h *shell) servesNoMore(at string) {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			conn.Close()
		}
		copies, _ := filepath.Glob(filepath.Join(h.top, ".fan-out/*"))
		if err != nil && len(copies) == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("it still serves (%v) or keeps %v", err, copies)
		}
	}
}
