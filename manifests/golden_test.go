package manifests

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what the tests got as what they want")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var (
	ip     = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	zero   = 0

	etcd = Etcd{Name: "kube-master-1", Address: ip("10.90.0.11")}
	api  = APIServer{Address: ip("10.90.0.11"), ServiceCIDR: prefix("10.101.0.0/16"), EtcdServers: []string{"https://10.90.0.11:2379"}}
	kcm  = ControllerManager{ClusterName: "prod1", PodCIDR: prefix("10.100.0.0/16")}

	kubelet = Kubelet{NodeName: "kube-node-1", NodeIP: ip("10.90.0.21"), ClusterDNS: ip("10.101.0.10")}
	proxy   = KubeProxy{NodeName: "kube-node-1", PodCIDR: prefix("10.100.0.0/16")}
	runtime = Containerd{SandboxImage: "registry.k8s.io/pause:3.10.2"}
	haproxy = LoadBalancer{Masters: []Backend{{"kube-master-1", ip("10.90.0.11")}, {"kube-master-2", ip("10.90.0.12")}}}
	coredns = CoreDNS{Image: "registry.k8s.io/coredns/coredns:v1.14.7", Address: ip("10.101.0.10")}

	// What the lab sets: everything that can be turned away from its default.
	labService = Service{RestrictOOMScore: true, ExtraArgs: map[string]string{"v": "2"}}
	labKubelet = Kubelet{
		Service: labService, NodeName: "n", NodeIP: ip("10.90.0.21"), ClusterDNS: ip("10.101.0.10"), Domain: "lab.internal",
		CgroupDriver: CgroupFS, AllowCgroupV1: true, MaxPods: 50, ResolvConf: "/run/systemd/resolve/resolv.conf",
		KubeReserved: map[string]string{"cpu": "100m"}, SystemReserved: map[string]string{"memory": "256Mi"},
		Config: Object{"evictionHard": Object{"memory.available": "10Mi", "nodefs.available": nil}, "podPidsLimit": nil, "imageMinimumGCAge": "5m"},
	}
	labProxy   = KubeProxy{Service: labService, NodeName: "n", PodCIDR: prefix("10.100.0.0/16"), ConntrackMaxPerCore: &zero, Config: Object{"healthzBindAddress": "127.0.0.1:10256"}}
	labRuntime = Containerd{Service: labService, SandboxImage: "registry.k8s.io/pause:3.10.2", CgroupDriver: CgroupFS, Mirrors: []RegistryMirror{
		{Registry: "docker.io", Mirror: "10.90.0.2:5000", PlainHTTP: true},
		{Registry: "quay.io", Mirror: "mirror.example.net", Fallback: true},
		{Registry: "registry.k8s.io", Mirror: "[2001:db8::1]:5000"},
	}}
)

// sets are the components in their defaults and as the lab has them.
var sets = map[string]interface{ Files() ([]File, error) }{
	"etcd": etcd, "apiserver": api, "controller-manager": kcm, "scheduler": Scheduler{},
	"kubelet": kubelet, "kube-proxy": proxy, "containerd": runtime, "haproxy": haproxy,
	"lab-etcd":               Etcd{Service: labService, Name: "m", Address: ip("2001:db8::11"), QuotaBytes: 1 << 30},
	"lab-apiserver":          APIServer{Service: labService, Address: ip("10.90.0.11"), ServiceCIDR: prefix("10.101.0.0/16"), Domain: "lab.internal", EtcdServers: []string{"https://10.90.0.11:2379", "https://10.90.0.12:2379"}, ShutdownDelay: 20 * time.Second},
	"lab-controller-manager": ControllerManager{Service: labService, ClusterName: "lab", PodCIDR: prefix("10.100.0.0/16")},
	"lab-scheduler":          Scheduler{labService},
	"lab-kubelet":            labKubelet, "lab-kube-proxy": labProxy, "lab-containerd": labRuntime,
	"host": hostFiles{},
}

type hostFiles struct{}

func (hostFiles) Files() ([]File, error) { return HostFiles() }

func files(t *testing.T, c interface{ Files() ([]File, error) }) []File {
	t.Helper()
	fs, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestFiles(t *testing.T) {
	for name, c := range sets {
		seen := map[string]bool{}
		for _, f := range files(t, c) {
			golden(t, filepath.Join(name, strings.ReplaceAll(strings.TrimPrefix(f.Path, "/"), "/", "_")), f.Content)
			if seen[f.Path] {
				t.Errorf("%s: %s twice", name, f.Path)
			}
			seen[f.Path] = true
			if f.Mode != 0o644 || f.Effect == "" || !strings.HasPrefix(string(f.Content), "# Written by drover") {
				t.Errorf("%s: %s: mode %o, effect %q, or no notice", name, f.Path, f.Mode, f.Effect)
			}
			if !bytes.HasSuffix(f.Content, []byte("\n")) || bytes.Contains(f.Content, []byte("<no value>")) {
				t.Errorf("%s: %s: a hole, or no end of line", name, f.Path)
			}
		}
	}
}

func TestObjects(t *testing.T) {
	for name, get := range map[string]func() ([]Object, error){"coredns": coredns.Objects, "rbac": RBAC, "namespaces": Namespaces} {
		os, err := get()
		if err != nil {
			t.Fatal(err)
		}
		var docs [][]byte
		for _, o := range os {
			doc, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, doc)
		}
		golden(t, "objects/"+name+".yaml", bytes.Join(docs, []byte("---\n")))
	}
}

func TestEtcdJoin(t *testing.T) {
	members := map[string]netip.Addr{"m2": ip("10.90.0.12"), "m1": ip("10.90.0.11")}
	for name, j := range map[string]EtcdJoin{"new": {true, "uid", members}, "existing": {false, "uid", members}} {
		f, err := j.File()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "etcd-join/"+name+".env", f.Content)
	}
	if _, err := (EtcdJoin{Members: members}).File(); err == nil {
		t.Error("a join without a token")
	}
}

func TestRefused(t *testing.T) {
	mirror := func(m RegistryMirror) Containerd { return Containerd{SandboxImage: "x", Mirrors: []RegistryMirror{m}} }
	for name, c := range map[string]interface{ Files() ([]File, error) }{
		"kubelet without DNS":       Kubelet{NodeName: "n", NodeIP: ip("10.0.0.1")},
		"containerd without pause":  Containerd{},
		"no masters":                LoadBalancer{},
		"a mirror with a path":      mirror(RegistryMirror{Registry: "docker.io", Mirror: "host/path"}),
		"a registry that climbs up": mirror(RegistryMirror{Registry: "../docker.io", Mirror: "host"}),
	} {
		if _, err := c.Files(); err == nil {
			t.Errorf("%s: rendered", name)
		}
	}
	if _, err := (CoreDNS{}).Objects(); err == nil {
		t.Error("CoreDNS without an image")
	}
}

func TestMerge(t *testing.T) {
	base := Object{"a": 1, "m": Object{"x": 1, "y": 2}, "l": []string{"p"}}
	over := Object{"a": nil, "m": Object{"x": 3, "z": Object{"q": 1, "r": nil}}, "l": []string{"q"}, "n": Object{"b": true}}
	want := Object{"m": Object{"x": 3, "y": 2, "z": Object{"q": 1}}, "l": []string{"q"}, "n": Object{"b": true}}
	if diff := cmp.Diff(want, merge(base, over)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(Object{"a": 1, "m": Object{"x": 1, "y": 2}, "l": []string{"p"}}, base); diff != "" {
		t.Errorf("merge changed its input:\n%s", diff)
	}
}

func TestArgs(t *testing.T) {
	got := args{"b": "1", "a": `50% of $HOME`, "c": "x"}.with(map[string]string{"c": `say "hi"`}).lines()
	want := []string{`"--a=50%% of $$HOME"`, "--b=1", `"--c=say \"hi\""`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBackendsAreReadBack(t *testing.T) {
	files, err := haproxy.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Path == HAProxyConfigPath {
			if diff := cmp.Diff(haproxy.Masters, Backends(string(f.Content)), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
			return
		}
	}
	t.Error("no configuration")
}
