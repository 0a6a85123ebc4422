package inventory

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// same compares clusters but for where their values stand.
var same = cmp.Options{
	cmpopts.IgnoreTypes(Where{}),
	cmpopts.IgnoreUnexported(Cluster{}),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func mustLoad(t *testing.T, paths ...string) *Cluster {
	t.Helper()
	c, problems := Load(paths...)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

func TestFull(t *testing.T) {
	for _, file := range []string{"testdata/full.hcl", "testdata/full.hcl.json"} {
		if d := cmp.Diff(full(), mustLoad(t, file), same); d != "" {
			t.Errorf("%s (-want +got):\n%s", file, d)
		}
	}
}

// full is what testdata/full.hcl says.
func full() *Cluster {
	ssh := SSH{
		User: "ops", Become: BecomeSudo, BecomePassword: NewSecret("correct horse"), Port: 2222, Jump: "ops@bastion.example.net",
		KnownHosts: "/etc/ssh/ssh_known_hosts", ConfigFile: "testdata/ssh_config", IdentityFile: "testdata/keys/ops",
	}
	f5 := ssh
	f5.Address, f5.User, f5.Become, f5.Port = "10.80.0.5", "admin", BecomeNone, 22
	own := ssh
	own.Port, own.HostKey = 22, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
	kubelet := Kubelet{
		MaxPods: 100,
		Config: Settings{
			"failCgroupV1": false, "imageGCHighThresholdPercent": int64(80), "nodeStatusReportFrequency": "1m",
			"evictionHard": map[string]any{"memory.available": "50Mi", "nodefs.available": "5%"},
		},
		ExtraArgs: Args{"v": {"2"}},
	}
	big := kubelet
	big.MaxPods = 250
	big.Config = Settings{
		"failCgroupV1": false, "imageGCHighThresholdPercent": int64(90), "nodeStatusReportFrequency": "1m",
		"evictionHard": map[string]any{"memory.available": "100Mi", "nodefs.available": "5%"},
	}
	big.ExtraArgs = Args{"v": {"4"}}
	return &Cluster{
		Name:        "prod1",
		Kubernetes:  "1.37.2",
		Masters:     []string{"kube-master-1"},
		PodCIDR:     netip.MustParsePrefix("10.100.0.0/16"),
		ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"),
		API:         API{Endpoint: "k8s.prod1.example.net:6443", Port: 6444},
		SSH:         ssh,
		Artifacts: Artifacts{
			Mirror: "http://mirror.example.net/k8s", Registry: "registry.example.net:5000", RegistryHTTP: true,
			Lock: "testdata/my.lock.json", Pull: PullPush, FanOut: true, FanOutPort: 10271,
		},
		Etcd:       Etcd{Version: "3.6.15", ExtraArgs: Args{"quota-backend-bytes": {"8589934592"}}},
		Containerd: Containerd{Version: "2.2.8", RestrictOOMScoreAdj: true},
		Runc:       Component{Version: "1.3.5"},
		CNI:        Component{Version: "1.9.0"},
		Pause:      Component{Version: "3.10.2"},
		Kubelet:    kubelet,
		KubeProxy: KubeProxy{
			Config:    Settings{"conntrack": map[string]any{"maxPerCore": int64(0)}, "list": []any{"a", int64(1), 1.5, true}},
			ExtraArgs: Args{"v": {"1"}},
		},
		APIServer:         Program{ExtraArgs: Args{"audit-log-maxage": {"30"}, "service-account-issuer": {"https://a.example.net", "https://b.example.net"}}},
		ControllerManager: Program{ExtraArgs: Args{"profiling": {"false"}}},
		Scheduler:         Program{ExtraArgs: Args{"v": {"3"}}},
		CoreDNS:           CoreDNS{Version: "1.14.6", Replicas: 3},
		Calico: Calico{
			Version: "3.30.1", ASNumber: 64520, BlockSize: 25,
			Topology: TopologyRouteReflectors, RouteReflectors: []string{"kube-master-1"},
		},
		Capacity: Capacity{Profile: "large", Tolerate: 2, Workloads: []Workload{
			{Name: "web", Replicas: 120, CPU: 500, Memory: 512 << 20},
		}, Thresholds: []Threshold{
			{Check: "mesh-size", Warn: figure(60), Fail: figure(90.5)},
		}, Waivers: []Waiver{
			{Check: "pods-per-host", Hosts: []string{"kube-node-1"}, Reason: "it was proven with 250 on this machine", Expires: "2027-01-31"},
		}},
		Preflight: Preflight{Waivers: []Waiver{
			{Check: "swap-on", Reason: "it is encrypted, and the kubelets are told to bear it"},
			{Check: "port-taken", Hosts: []string{"kube-node-1"}, Reason: "an exporter that moves away next week"},
		}},
		Packages: Packages{Install: true},
		Puppet:   Puppet{Disable: false, Wait: 600, Hold: 7200},
		BigIPs: []BigIP{
			{
				Name: "f5-a", PeerAddress: netip.MustParseAddr("10.90.0.5"), ASNumber: 64513,
				Password: NewSecret("correct horse"), Manage: ManageSSH, MaxPeers: 200, MaxRoutes: 1000, SSH: f5,
				Accept: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")},
			},
			{Name: "f5-b", PeerAddress: netip.MustParseAddr("10.90.0.6"), ASNumber: 64520, Manage: ManageManual, Wait: 5400, SSH: ssh},
		},
		KubeMasters: []Host{{
			Role: RoleMaster, Name: "kube-master-1", Taints: []Taint{masterTaint},
			Address: netip.MustParseAddr("10.90.0.11"), FailureDomain: "esx-01", SSH: ssh, Kubelet: kubelet,
		}},
		KubeNodes: []Host{{
			Role: RoleNode, Name: "kube-node-1",
			Address: netip.MustParseAddr("10.90.0.21"), FailureDomain: "esx-02",
			Labels:   map[string]string{"tier": "web", "example.net/rack": "B2"},
			Taints:   []Taint{{"dedicated", "gpu", "NoSchedule"}, {"spot", "", "NoExecute"}},
			Certname: "kube-node-1.example.net",
			SSH:      own, Kubelet: big,
		}},
		PuppetDB: PuppetDB{
			URL: "https://puppetdb.example.net:8081", Cert: "testdata/admin.pem", Key: "/etc/drover/admin.key", CA: "~/ca.pem",
			Cluster: "production", MasterRole: "k8s::master", NodeRole: "k8s::node", Name: NameHostname,
			Address: "facts.networking.interfaces.bond0.ip", FailureDomain: "facts.esx_host", MaxAge: 5400, HostKeys: true,
			Ignore: []string{"kube-node-9.example.net"},
		},
	}
}

func figure(f float64) *float64 { return &f }

// Names, addresses and blocks are all that a lab needs; the rest has defaults.
func TestDefaults(t *testing.T) {
	want := defaults(nil)
	want.Name = "c"
	want.Artifacts.Lock = "testdata/fragments/artifacts.lock.json"
	want.BigIPs = []BigIP{{
		Name: "f5", PeerAddress: netip.MustParseAddr("10.90.0.5"), ASNumber: 64512,
		Password: NewSecret("battery staple"), Manage: ManageManual, Wait: 600, SSH: want.SSH,
	}}
	want.KubeMasters = []Host{{
		Role: RoleMaster, Name: "m1", Address: netip.MustParseAddr("10.90.0.11"),
		Taints: []Taint{masterTaint}, SSH: want.SSH, Kubelet: want.Kubelet,
	}}
	// A directory, and the same as files of which one is named twice.
	directory := mustLoad(t, "testdata/fragments")
	files := mustLoad(t, "testdata/fragments/30-bigip.hcl", "testdata/fragments/10-cluster.hcl",
		"testdata/fragments/20-master.hcl.json", "./testdata/fragments/10-cluster.hcl")
	for _, got := range []*Cluster{directory, files} {
		if d := cmp.Diff(want, got, same); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	if at := directory.Calico.Where.At("block_size"); at != directory.Where.Block {
		t.Errorf("a default stands at %s, want the cluster's header at %s", at, directory.Where.Block)
	}
}

// Every value knows where it stands: its range cuts its own text out of the file.
func TestPlaces(t *testing.T) {
	for _, file := range []string{"testdata/full.hcl", "testdata/full.hcl.json"} {
		c := mustLoad(t, file)
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, p := range places(c) {
			for _, attr := range sortedKeys(p.where.Attrs) {
				at := p.where.At(attr)
				fmt.Fprintf(&b, "%s: %s %s: %s\n", at, p.title, attr, cut(t, string(src), at))
			}
		}
		golden(t, file+".places", b.String())
	}
}

type place struct {
	title string
	where Where
}

func places(c *Cluster) []place {
	all := []place{
		{"cluster", c.Where}, {"api", c.API.Where}, {"ssh", c.SSH.Where}, {"artifacts", c.Artifacts.Where},
		{"etcd", c.Etcd.Where}, {"containerd", c.Containerd.Where}, {"kubelet", c.Kubelet.Where},
		{"kube_proxy", c.KubeProxy.Where}, {"apiserver", c.APIServer.Where}, {"coredns", c.CoreDNS.Where},
		{"calico", c.Calico.Where}, {"capacity", c.Capacity.Where},
		{"packages", c.Packages.Where}, {"puppet", c.Puppet.Where}, {"puppetdb", c.PuppetDB.Where},
	}
	for _, w := range c.Preflight.Waivers {
		all = append(all, place{"waive " + w.Check, w.Where})
	}
	for _, w := range c.Capacity.Waivers {
		all = append(all, place{"waive " + w.Check, w.Where})
	}
	for _, t := range c.Capacity.Thresholds {
		all = append(all, place{"threshold " + t.Check, t.Where})
	}
	for _, f5 := range c.BigIPs {
		all = append(all, place{"bigip " + f5.Name, f5.Where})
	}
	for _, w := range c.Capacity.Workloads {
		all = append(all, place{"workload " + w.Name, w.Where})
	}
	for _, h := range c.Hosts() {
		all = append(all, place{string(h.Role) + " " + h.Name, h.Where})
	}
	return all
}

// cut is the first line of a range of an ASCII text.
func cut(t *testing.T, src string, r diag.Range) string {
	t.Helper()
	line := strings.Split(src, "\n")[r.Start.Line-1]
	if r.End.Line == r.Start.Line {
		line = line[:r.End.Column-1]
	}
	return line[r.Start.Column-1:]
}

// What must be written is an agreement with every inventory there is.
func TestRequired(t *testing.T) {
	var got []string
	var walk func(spec blockSpec)
	walk = func(spec blockSpec) {
		for _, a := range spec.attrs {
			if a.required {
				got = append(got, spec.kind+"."+a.name)
			}
		}
		for _, inner := range spec.blocks {
			walk(inner)
		}
	}
	walk(rootSpec)
	want := []string{
		"bigip.peer_address", "workload.replicas", "workload.cpu", "workload.memory", "waive.reason", "waive.expires", "waive.reason",
		"puppetdb.url",
		"kube_master.address", "kube_node.address",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestWhere(t *testing.T) {
	c := mustLoad(t, "testdata/full.hcl")
	node, master := c.KubeNodes[0].Where, c.KubeMasters[0].Where
	for got, want := range map[string]string{
		c.Where.AtElement("masters", 0).String(): "testdata/full.hcl:3:19",
		c.Where.AtElement("masters", 9).String(): "testdata/full.hcl:3:18", // the list
		node.AtKey("labels", "tier").String():    "testdata/full.hcl:177:26",
		node.AtKey("labels", "none").String():    "testdata/full.hcl:176:12", // the map
		master.At("labels").String():             "testdata/full.hcl:168:1",  // the block
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if !node.Written("labels") || master.Written("labels") {
		t.Error("Written does not tell a value from a default")
	}
}

// A problem found long after loading is shown like one found by it.
func TestQuote(t *testing.T) {
	c := mustLoad(t, "testdata/full.hcl")
	problems := diag.Problems{
		{Summary: "too slow", At: c.KubeNodes[0].Where.At("address").Ptr(), Fix: "replace it"},
		{Summary: "refused", At: c.BigIPs[0].Where.At("password").Ptr(), Fix: "correct it"},
	}
	c.Quote(problems)
	want := `testdata/full.hcl:174:20: error: too slow
  174 |   address        = "10.90.0.21"
      |                    ^^^^^^^^^^^^
  fix: replace it

testdata/full.hcl:111:18: error: refused
  111 |   password     = file("full.secret")
      |                  ^^^^^^^^^^^^^^^^^^^
  fix: correct it
`
	if d := cmp.Diff(want, render(t, problems)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// A broken file says nothing about what is missing: it may stand behind the break.
func TestBrokenFileHidesNoOther(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.hcl", "cluster \"c\" {\n  masters = [\"m1\"]\n}\n")
	write(t, dir, "b.hcl", "kube_master \"m1\" {\n  failure_domain = \"x\n  address = \"10.90.0.11\"\n}\n")
	write(t, dir, "c.hcl", "kube_node \"n1\" {\n  adres = \"10.90.0.21\"\n}\n")
	_, problems := Load(dir)
	var codes []string
	for _, p := range problems {
		codes = append(codes, filepath.Base(p.At.File)+" "+p.Code)
	}
	want := []string{"b.hcl " + CodeSyntax, "c.hcl " + CodeUnknownAttribute}
	if d := cmp.Diff(want, codes); d != "" {
		t.Errorf("-want +got:\n%s\n%s", d, problems)
	}
}

// HCL's parser recurses; what would overflow its stack is not given to it.
func TestNesting(t *testing.T) {
	for _, s := range []string{"(", "!", "[", "- ", "{a=", "a {\n", `"${`, "a?", "a(", "x["} {
		_, problems := newDecoder().load(Options{}, []file{{"x.hcl", []byte("a = " + strings.Repeat(s, maxFile/len(s)))}})
		if len(problems) != 1 || problems[0].Summary != "nested too deeply" {
			t.Errorf("%q: got %d problems", s, len(problems))
			continue
		}
		checkProblem(t, problems[0])
	}
	dashes := "/* " + strings.Repeat(strings.Repeat("-", 78)+"\n", 100) + "*/\n"
	src, err := os.ReadFile("testdata/full.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := newDecoder().load(Options{}, []file{{"testdata/x.hcl", append([]byte(dashes), src...)}}); len(problems) > 0 {
		t.Error(problems)
	}
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
