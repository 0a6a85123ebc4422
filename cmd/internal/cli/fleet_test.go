package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// fleet is bare machines behind real SSH servers, with an inventory of them, for
// the real binary. The first is the master. A part of an apply works there; what
// takes more than fakes fails, and ends it.
type fleet struct {
	dir, home string
	machines  []*hosttest.Host
}

// newFleet makes a fleet. The inventory has the attributes of ssh, and more.
func newFleet(t *testing.T, size int, conf hosttest.Config, ssh, more string) *fleet {
	t.Helper()
	f := &fleet{dir: t.TempDir(), home: t.TempDir()}
	if conf.Tunnel == nil {
		conf.Tunnel = reached
	}
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/calico.yaml") {
			_, _ = w.Write(calicoManifest(t))
		}
	}))
	t.Cleanup(mirror.Close)
	var hcl strings.Builder
	fmt.Fprintf(&hcl, `
cluster "one" {
  masters      = ["kube-master-1"]
  pod_cidr     = "10.100.0.0/16"
  service_cidr = "10.101.0.0/16"
}
artifacts { mirror = %q }
ssh {
  known_hosts = "known_hosts"
  %s
}
%s
`, mirror.URL, ssh, more)
	if size > 100 { // what a mesh of them costs is not played
		hcl.WriteString("capacity {\n  threshold \"mesh-size\" {\n    warn = 9999\n    fail = 9999\n  }\n}\n")
	}
	address := ""
	for n := range size {
		kind, name := "kube_node", fmt.Sprintf("kube-node-%d", n)
		if n == 0 {
			kind, name = "kube_master", "kube-master-1"
		}
		m := hosttest.New(t, name)
		m.HandleScript("# drover probe", probed)
		m.HandleScript("# drover survey", func(*hosttest.State, hosttest.Call) host.Result {
			r := surveyed(0, 0)
			r.Stdout = bytes.ReplaceAll(r.Stdout, []byte("hostname=m\n"), []byte("hostname="+name+"\n"))
			return r
		})
		listens(m)
		m.HandleScript("# drover evidence", nothingKnown)
		m.HandleScript("drover() {", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{Exit: 1} })
		m.Handle("install", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{Exit: 1} })
		s := hosttest.Serve(t, m, conf)
		address = s.Address
		f.machines = append(f.machines, m)
		identity := ""
		if s.KeyFile != "" {
			identity = fmt.Sprintf("identity_file = %q", s.KeyFile)
		}
		fmt.Fprintf(&hcl, "%s %q {\n  address = \"192.0.%d.%d\"\n  ssh {\n    port = %d\n    %s\n  }\n}\n",
			kind, name, 2+n/200, 1+n%200, s.Port, identity)
		if err := s.Know(filepath.Join(f.dir, "known_hosts")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(f.dir, "inventory.hcl"), []byte(hcl.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// No machine may have a loopback address; the operator's own ssh_config may.
	if err := os.Mkdir(filepath.Join(f.home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.home, ".ssh", "config"), []byte("HostName "+address+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "bgp.secret"), []byte(bgpSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := f.drover(t, "artifacts", "lock").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return f
}

// reached plays a network in which everybody reaches everybody.
func reached(context.Context, string) (net.Conn, error) {
	near, far := net.Pipe()
	far.Close()
	return near, nil
}

// listens lets a machine listen for the time of a preflight.
func listens(m *hosttest.Host) {
	m.HandleScript("# drover listen", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{} })
	m.HandleScript("# drover unlisten", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Stdout: []byte("active\n")}
	})
}

// nothingKnown plays a look for why something failed.
func nothingKnown(*hosttest.State, hosttest.Call) host.Result { return host.Result{} }

// drover is a command of the real binary.
func (f *fleet) drover(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(filepath.Join(build(t), "drover"), append([]string{"-i", filepath.Join(f.dir, "inventory.hcl")}, args...)...)
	c.Env = []string{"HOME=" + f.home, "PATH=" + os.Getenv("PATH")}
	return c
}

// log is the log of the only run of a command: its text, and its lines.
func (f *fleet) log(t *testing.T, command string) (string, []map[string]any) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(f.home, ".local/state/drover/runs/*-"+command+".jsonl"))
	if err != nil || len(names) != 1 {
		t.Fatalf("logs of %s: %v, %v", command, names, err)
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for line := range bytes.Lines(text) {
		var one map[string]any
		if err := json.Unmarshal(line, &one); err != nil || one["schema_version"] != 1.0 {
			t.Fatalf("%v: %s", err, line)
		}
		lines = append(lines, one)
	}
	return string(text), lines
}

// held makes the first write on a machine wait until let is called; begun is
// closed when it waits.
func held(m *hosttest.Host) (begun <-chan struct{}, let func()) {
	waits, free := make(chan struct{}), make(chan struct{})
	first := true
	m.Precede("drover-write-files", func(*hosttest.State, hosttest.Call) {
		if first {
			first = false
			close(waits)
			<-free
		}
	})
	return waits, func() { close(free) }
}
