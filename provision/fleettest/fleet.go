package fleettest

import (
	"compress/gzip"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host/hosttest"
)

// Config is what a fleet is like.
type Config struct {
	Masters, Nodes int
	Latency        time.Duration // of a round trip
	Bandwidth      int64         // of each host, in bytes a second; 0 is no limit
	// Host changes one host's part of it, by its name; may be nil.
	Host func(name string, c *hosttest.Config)
}

// Fleet is simulated hosts, with an inventory of them for the real binary.
type Fleet struct {
	Dir  string // with the inventory
	Home string // of the operator
	// Hosts are in the inventory's order, masters first.
	Hosts   []*Host
	KeyFile string // that lets root in
	// Settings are more of the inventory, and Artifacts attributes of that block, which
	// the next Add writes.
	Settings, Artifacts string

	tb     testing.TB
	conf   Config
	key    ssh.PublicKey
	known  []byte
	mirror string
	api    *api
	etcds  *etcds
	// dropped are hosts that the inventory does not name any more.
	dropped []string
	ways    []string // of ssh_config, to machines that the inventory does not have
	muted   atomic.Pointer[func()]

	mu         sync.Mutex
	byName     map[string]*Host
	supplanted []*Host // that run on, and another machine has the name of
}

// New makes a fleet of bare hosts, with the digests locked of what they are to
// install. binary is the drover to do that with.
func New(tb testing.TB, binary string, conf Config) *Fleet {
	tb.Helper()
	f := &Fleet{Dir: tb.TempDir(), Home: tb.TempDir(), tb: tb, conf: conf, byName: map[string]*Host{}}
	f.api, f.etcds = newAPI(f), &etcds{fleet: f}
	if err := f.makeKey(); err != nil {
		tb.Fatal(err)
	}
	manifest, err := calicoManifest()
	if err != nil {
		tb.Fatal(err)
	}
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/calico.yaml") {
			_, _ = w.Write(manifest)
			return
		}
		fmt.Fprint(w, r.URL.Path) // each release is another
	}))
	tb.Cleanup(mirror.Close)
	f.mirror = mirror.URL
	for n := range conf.Masters {
		f.add(fmt.Sprintf("kube-master-%d", n+1), fmt.Sprintf("10.64.0.%d", n+1), true)
	}
	f.Add(conf.Nodes)
	if out, err := f.Command(binary, "artifacts", "lock").CombinedOutput(); err != nil {
		tb.Fatalf("locking artifacts: %v\n%s", err, out)
	}
	return f
}

// Add has more nodes in the inventory, bare.
func (f *Fleet) Add(nodes int) {
	f.tb.Helper()
	for range nodes {
		n := len(f.Hosts) - f.conf.Masters
		f.add(fmt.Sprintf("kube-node-%d", n+1), fmt.Sprintf("10.64.%d.%d", 1+n/250, 1+n%250), false)
	}
	f.save()
}

// AddMasters has more masters in the inventory, bare.
func (f *Fleet) AddMasters(masters int) {
	f.tb.Helper()
	for range masters {
		n := f.conf.Masters
		f.add(fmt.Sprintf("kube-master-%d", n+1), fmt.Sprintf("10.64.0.%d", n+1), true)
		f.mu.Lock()
		last := f.Hosts[len(f.Hosts)-1]
		f.Hosts = slices.Insert(f.Hosts[:len(f.Hosts)-1], n, last)
		f.conf.Masters++
		f.mu.Unlock()
	}
	f.save()
}

// Replace puts another machine, bare, in the place of one: with its name and its
// address. The one that there was is gone.
func (f *Fleet) Replace(name string) {
	f.tb.Helper()
	old := f.Host(name)
	f.api.forget(old.Address)
	old.gone.Store(true)
	old.Server.CutAll()
	if !old.Master { // its kubelet is not heard of any more
		old.dead.Store(old.joined.Swap(false))
	}
	f.instead(old, old.Address)
}

// Supplant puts another machine, bare, in the place of one: with its name, at another
// address. The one that there was is as it was, at the address that it has, where the
// operator's ssh_config knows the way to it; it is returned.
func (f *Fleet) Supplant(name, address string) *Host {
	f.tb.Helper()
	old := f.Host(name)
	f.mu.Lock()
	f.supplanted = append(f.supplanted, old)
	f.mu.Unlock()
	f.way(old)
	f.instead(old, address)
	return old
}

// way has the operator's ssh_config know the way to a machine by its address.
func (f *Fleet) way(h *Host) {
	f.ways = append(f.ways, fmt.Sprintf("Host %s\n  Port %d\n", h.Address, h.Server.Port))
}

// PowerOffFormer ends a machine that another has the name of, as Supplant returned it. Its
// Node says after a while that its kubelet is not heard of.
func (f *Fleet) PowerOffFormer(old *Host) {
	old.joined.Store(false)
	old.Server.Vanish(true)
	old.ends()
	f.api.mu.Lock()
	defer f.api.mu.Unlock()
	if o := f.api.objects[nodes]["/"+old.Name]; o != nil {
		silent := maps.Clone(o)
		status, _ := o["status"].(object)
		silent["status"] = maps.Clone(status)
		silent["status"].(object)["conditions"] = []any{object{"type": "Ready", "status": "Unknown"}}
		f.api.objects[nodes]["/"+old.Name] = silent
	}
}

func (f *Fleet) instead(old *Host, address string) {
	name := old.Name
	f.api.spoke(name)
	f.mu.Lock()
	i := slices.Index(f.Hosts, old)
	f.mu.Unlock()
	f.add(name, address, old.Master)
	h := f.Host(name)
	h.generation, h.former = old.generation+1, f.UID("Node", name)
	f.mu.Lock()
	f.Hosts[i] = h
	f.Hosts = f.Hosts[:len(f.Hosts)-1]
	f.mu.Unlock()
	f.save()
}

// Host is one of them.
func (f *Fleet) Host(name string) *Host {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byName[name]
}

// Command is a drover of the operator's.
func (f *Fleet) Command(binary string, args ...string) *exec.Cmd {
	c := exec.Command(binary, append([]string{"-i", filepath.Join(f.Dir, "inventory.hcl")}, args...)...)
	c.Env = []string{"HOME=" + f.Home, "PATH=" + os.Getenv("PATH")}
	return c
}

// Forget empties every host's record of what was done there.
func (f *Fleet) Forget() {
	for _, h := range f.Hosts {
		h.Machine.Forget()
	}
}

// RoundTrips is how often each host was waited for so far.
func (f *Fleet) RoundTrips() []int64 {
	return each(f, func(h *Host) int64 { return h.Server.RoundTrips() })
}

// Connections is how many were made to each host so far.
func (f *Fleet) Connections() []int {
	return each(f, func(h *Host) int { return h.Server.Connections() })
}

func each[T any](f *Fleet, of func(*Host) T) []T {
	out := make([]T, len(f.Hosts))
	for i, h := range f.Hosts {
		out[i] = of(h)
	}
	return out
}

// Requests is how many the API has had so far.
func (f *Fleet) Requests() int64 { return f.api.requests.Load() }

func (f *Fleet) add(name, address string, master bool) {
	h := newHost(f, name, address, master)
	f.mu.Lock()
	f.Hosts, f.byName[name] = append(f.Hosts, h), h
	f.mu.Unlock()
	known, err := os.ReadFile(h.Server.KnownHosts)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.known = append(f.known, known...)
}

// save writes the inventory and the hosts' keys.
func (f *Fleet) save() {
	var hcl, masters strings.Builder
	for _, h := range f.Hosts {
		if h.Master && !slices.Contains(f.dropped, h.Name) {
			fmt.Fprintf(&masters, "%q, ", h.Name)
		}
	}
	fmt.Fprintf(&hcl, `cluster "fleet" {
  masters      = [%s]
  pod_cidr     = "10.128.0.0/9"
  service_cidr = "10.101.0.0/16"
}
artifacts {
  mirror = %q
  %s
}
ssh {
  user          = "root"
  become        = "none"
  known_hosts   = "known_hosts"
  identity_file = %q
}
%s`, strings.TrimSuffix(masters.String(), ", "), f.mirror, f.Artifacts, f.KeyFile, f.Settings)
	if len(f.Hosts) > 100 { // what a mesh of them costs is not played
		hcl.WriteString("capacity {\n  threshold \"mesh-size\" {\n    warn = 9999\n    fail = 9999\n  }\n}\n")
	}
	for _, h := range f.Hosts {
		if slices.Contains(f.dropped, h.Name) {
			continue
		}
		kind := "kube_node"
		if h.Master {
			kind = "kube_master"
		}
		fmt.Fprintf(&hcl, "%s %q {\n  address = %q\n  ssh { port = %d }\n}\n", kind, h.Name, h.Address, h.Server.Port)
	}
	f.write(filepath.Join(f.Dir, "inventory.hcl"), []byte(hcl.String()))
	f.write(filepath.Join(f.Dir, "known_hosts"), f.known)
	// No machine may have a loopback address; the operator's own ssh_config may.
	f.write(filepath.Join(f.Home, ".ssh", "config"), []byte("HostName 127.0.0.1\n"+strings.Join(f.ways, "")))
}

func (f *Fleet) write(name string, content []byte) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		f.tb.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		f.tb.Fatal(err)
	}
}

// makeKey makes the operator's key.
func (f *Fleet) makeKey() error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return err
	}
	f.KeyFile = filepath.Join(f.Home, "id_ed25519")
	f.write(f.KeyFile, pem.EncodeToMemory(block))
	f.key, err = ssh.NewPublicKey(public)
	return err
}

// calicoManifest is the release's that the unit tests keep.
func calicoManifest() ([]byte, error) {
	_, here, _, _ := runtime.Caller(0)
	file, err := os.Open(filepath.Join(filepath.Dir(here), "../internal/calico/testdata/calico-v3.30.1.yaml.gz"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unzipped)
}
