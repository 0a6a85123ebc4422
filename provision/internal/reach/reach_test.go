package reach

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/preflight"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// network is fake machines that reach each other but where it says otherwise.
type network struct {
	mu       sync.Mutex
	ears     map[string]string // host to what listens there
	listened []string
	blocked  map[string]error // "FROM ADDRESS" to what becomes of it
	fail     map[string]host.Result
}

// machine is one of them.
type machine struct {
	*hosttest.Host
	n *network
}

// errSilent is a connection that nobody answers.
var errSilent = errors.New("silence")

func (m machine) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	m.n.mu.Lock()
	err, blocked := m.n.blocked[m.Name()+" "+addr], false
	heard := slices.ContainsFunc(slices.Collect(maps.Values(m.n.ears)), func(e string) bool { return slices.Contains(strings.Fields(e), addr) })
	m.n.mu.Unlock()
	if errors.Is(err, errSilent) {
		<-ctx.Done()
		err, blocked = context.Cause(ctx), true
	}
	if err == nil && !heard {
		err = &ssh.TunnelError{Said: "Connection refused"}
	}
	if err != nil || blocked {
		return nil, &host.UnreachableError{Host: m.Name(), Op: "opening a tunnel", Err: err}
	}
	near, far := net.Pipe()
	far.Close()
	return near, nil
}

var assignment = regexp.MustCompile(`(?m)^(\w+)='?([^'\n]*)'?$`)

// with makes the machines.
func (n *network) with(t *testing.T, names ...string) map[string]Host {
	hosts := map[string]Host{}
	for _, name := range names {
		h := hosttest.New(t, name)
		h.HandleScript("# drover listen", func(_ *hosttest.State, c hosttest.Call) host.Result {
			if r, ok := n.fail[name]; ok {
				return r
			}
			values := map[string]string{}
			for _, m := range assignment.FindAllStringSubmatch(string(c.Stdin), -1) {
				values[m[1]] = m[2]
			}
			n.mu.Lock()
			defer n.mu.Unlock()
			n.ears[name] = values["addresses"]
			n.listened = append(n.listened, name+" "+values["addresses"])
			return host.Result{}
		})
		h.HandleScript("# drover unlisten", func(*hosttest.State, hosttest.Call) host.Result {
			n.mu.Lock()
			defer n.mu.Unlock()
			_, was := n.ears[name]
			delete(n.ears, name)
			if !was {
				return host.Result{Stdout: []byte("inactive\n")}
			}
			return host.Result{Stdout: []byte("active\n")}
		})
		hosts[name] = machine{h, n}
	}
	return hosts
}

func newNetwork() *network {
	return &network{ears: map[string]string{}, blocked: map[string]error{}, fail: map[string]host.Result{}}
}

func link(from, to, at string, ear preflight.Ear) preflight.Link {
	return preflight.Link{From: from, To: to, At: netip.MustParseAddrPort(at), Ear: ear}
}

func outcomes(r preflight.Reach) map[string]preflight.Outcome {
	out := map[string]preflight.Outcome{}
	for _, a := range r.Attempts {
		out[a.From+" "+a.At.String()] = a.Outcome
	}
	return out
}

// Hosts listen where nobody does, once for all who try, and no longer than that.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.ears["somebody's own"] = "10.0.0.3:10250"
		n.blocked["b 10.0.0.1:6443"] = errSilent
		n.blocked["c 10.0.0.1:6443"] = &ssh.TunnelError{Said: "No route to host"}
		n.blocked["a 10.0.0.5:179"] = &ssh.TunnelError{Said: "Connection timed out"}
		n.blocked["b 10.0.0.5:179"] = &ssh.TunnelError{Said: "Protocol not available"}
		hosts := n.with(t, "a", "b", "c")
		began := time.Now()
		r, err := Look(t.Context(), hosts, []preflight.Link{
			link("b", "a", "10.0.0.1:6443", preflight.Nobody), link("c", "a", "10.0.0.1:6443", preflight.Nobody), link("c", "a", "10.0.0.1:179", preflight.Nobody),
			link("a", "b", "10.0.0.2:10250", preflight.Nobody), link("a", "c", "10.0.0.3:10250", preflight.Somebody), link("b", "c", "10.0.0.3:179", preflight.Unknown),
			link("a", "f5", "10.0.0.5:179", preflight.Peer), link("b", "f5", "10.0.0.5:179", preflight.Peer),
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]preflight.Outcome{
			"b 10.0.0.1:6443": preflight.Silent, "c 10.0.0.1:6443": preflight.NoRoute, "c 10.0.0.1:179": preflight.Connected,
			"a 10.0.0.2:10250": preflight.Connected, "a 10.0.0.3:10250": preflight.Connected, "b 10.0.0.3:179": preflight.Refused,
			"a 10.0.0.5:179": preflight.Silent, "b 10.0.0.5:179": "Protocol not available",
		}, outcomes(r)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		slices.Sort(n.listened)
		if d := cmp.Diff([]string{"a 10.0.0.1:6443 10.0.0.1:179", "b 10.0.0.2:10250"}, n.listened); d != "" {
			t.Errorf("who was made to listen (-want +got):\n%s", d)
		}
		if len(n.ears) != 1 || len(r.Mute)+len(r.Deaf) > 0 {
			t.Errorf("left: %v; mute %v, deaf %v", n.ears, r.Mute, r.Deaf)
		}
		if took := time.Since(began); took != connectLimit {
			t.Errorf("it took %s", took)
		}
	})
}

// What could not be looked at is neither well nor wrong.
func TestLookWhereItCannot(t *testing.T) {
	n := newNetwork()
	hosts := n.with(t, "a", "b", "c", "d")
	n.fail["b"] = host.Result{Exit: 1, Stderr: []byte("Failed to find executable systemd-socket-activate")}
	for _, at := range []string{"10.0.0.4:179", "10.0.0.5:179"} {
		n.blocked["c "+at] = &ssh.TunnelError{Forbidden: true, Said: "open failed"}
	}
	hosts["d"].(machine).HandleScript("# drover unlisten", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Stdout: []byte("inactive\n")}
	})
	r, err := Look(t.Context(), hosts, []preflight.Link{
		link("a", "b", "10.0.0.2:6443", preflight.Nobody), link("a", "b", "10.0.0.2:10250", preflight.Unknown),
		link("c", "f5", "10.0.0.5:179", preflight.Peer), link("c", "d", "10.0.0.4:179", preflight.Nobody), link("a", "d", "10.0.0.4:179", preflight.Nobody),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]preflight.Outcome{"a 10.0.0.2:10250": preflight.Refused}, outcomes(r)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for of, want := range map[string]string{"c": "AllowTcpForwarding", "b": "systemd-socket-activate", "d": "ended too early"} {
		if why := r.Mute[of] + r.Deaf[of]; !strings.Contains(why, want) {
			t.Errorf("%s: %q", of, why)
		}
	}
	if len(r.Mute) != 1 || len(r.Deaf) != 2 {
		t.Errorf("mute %v, deaf %v", r.Mute, r.Deaf)
	}
}

// All ports of all hosts have an end, and a stop leaves nobody listening.
func TestLookEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		hosts := n.with(t, "a", "b")
		var links []preflight.Link
		for port := range 2000 {
			at := fmt.Sprintf("10.0.0.2:%d", port+1)
			links = append(links, link("a", "b", at, preflight.Nobody))
			n.blocked["a "+at] = errSilent
		}
		began := time.Now()
		r, err := Look(t.Context(), hosts, links)
		if took := time.Since(began); err != nil || took > lookLimit || len(n.ears) > 0 || !strings.Contains(r.Mute["a"], "took more than") || len(r.Attempts) > 0 {
			t.Errorf("%s, %v, %v, %v", took, err, n.ears, r.Mute)
		}

		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		began = time.Now()
		if _, err := Look(ctx, hosts, links[:1]); err != nil || time.Since(began) != time.Second || len(n.ears) > 0 {
			t.Errorf("stopped: %v after %s, %v", err, time.Since(began), n.ears)
		}
	})
}

// A listener that may still be there is told of: apply must not start what would
// find its port taken.
func TestLookThatCannotEndAListener(t *testing.T) {
	n := newNetwork()
	hosts := n.with(t, "a", "b")
	hosts["b"].(machine).HandleScript("# drover unlisten", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Exit: 1, Stderr: []byte("no bus")}
	})
	r, err := Look(t.Context(), hosts, []preflight.Link{link("a", "b", "10.0.0.2:6443", preflight.Nobody)})
	if err == nil || !strings.Contains(err.Error(), "no bus") || len(r.Attempts) > 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

// The script listens through systemd, sees that it does, and fails when it does not;
// with these programs alone.
func TestListenScript(t *testing.T) {
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("needs systemd-socket-activate")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken, free := netip.MustParseAddrPort(l.Addr().String()), netip.MustParseAddrPort(other.Addr().String())
	other.Close()
	bin := t.TempDir()
	// A systemd of this test's: what is run in a unit runs below this process.
	write(t, filepath.Join(bin, "systemd-run"), `#!/bin/sh
while [ "${1#--}" != "$1" ]; do echo "$1" >>"`+bin+`/asked"; shift; done
shift
timeout 5 `+activate+` "$@" >/dev/null 2>&1 &
echo $! >`+bin+`/pid`)
	write(t, filepath.Join(bin, "systemctl"), "#!/bin/sh\necho \"$@\" >>"+bin+"/asked\n")
	write(t, filepath.Join(bin, "journalctl"), "#!/bin/sh\necho Address already in use\n")
	run := func(at ...netip.AddrPort) error {
		h := hosttest.New(t, "h")
		h.HandleScript("# drover listen", func(_ *hosttest.State, c hosttest.Call) host.Result {
			cmd := exec.Command("sh", "-s")
			cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
			cmd.Stdin = strings.NewReader(string(c.Stdin))
			var errs strings.Builder
			cmd.Stderr = &errs
			if cmd.Run() != nil {
				return host.Result{Exit: 1, Stderr: []byte(errs.String())}
			}
			return host.Result{}
		})
		_, err := listen(t.Context(), h, at)
		return err
	}
	if err := run(taken, free); err == nil || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("a port that is taken: %v", err)
	}
	if err := run(free); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, filepath.Join(bin, "pid"))))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGTERM)
	for range 3 { // also after the first has made it run what it runs
		c, err := net.Dial("tcp4", free.String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	asked := read(t, filepath.Join(bin, "asked"))
	for _, want := range []string{"stop drover-ports-*.service", "--collect", "--property=RuntimeMaxSec=45", "--unit=drover-ports-"} {
		if !strings.Contains(asked, want) {
			t.Errorf("no %q in %s", want, asked)
		}
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
