package calico

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"k8s.io/apimachinery/pkg/runtime"
)

// The proof of the filters: the BIRD that Calico configures, three hosts and
// two BIG-IPs on loopback addresses. Without filters the same hosts do what the
// filters are there against, so the test sees the difference they make.

type birdHost struct {
	Name, Address string
	Port          int
	AS            uint32
	Pods          string
	Services      string // announced here
	Blocks        []string
	Confirmed     []string
	Kernel        []string
	Mesh, Global  []birdPeer
	Filters       []string
}

type birdPeer struct {
	Name, Address  string
	AS             uint32
	Import, Export string
}

func TestFiltersInBIRD(t *testing.T) {
	bird, birdc := birdBinaries(t)
	n := testNetwork()
	n.Peers = []Peer{
		{Name: "f5-ebgp", Address: netip.MustParseAddr("127.0.1.5"), ASNumber: 64513},
		{Name: "f5-ibgp", Address: netip.MustParseAddr("127.0.1.6"), ASNumber: n.ASNumber,
			Accept: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("0.0.0.0/0")}},
	}
	want := map[string][]string{
		"f5-ebgp": {
			"10.100.0.0/26 127.0.1.1", "10.100.0.64/26 127.0.1.2", "10.100.0.128/26 127.0.1.3",
			"10.101.0.0/16 127.0.1.1", "10.101.0.0/16 127.0.1.2",
		},
	}
	want["f5-ibgp"] = want["f5-ebgp"]
	slices.Sort(want["f5-ebgp"])

	lab := startBIRD(t, bird, birdc, n, true)
	for name, routes := range want {
		lab.expect(name, routes)
	}
	// Nothing comes in from the first; from the second all but what is the cluster's.
	lab.expect("node-1", []string{
		"0.0.0.0/0 127.0.1.6", "10.100.0.128/26 127.0.1.3", "10.100.0.64/26 127.0.1.2",
		"10.101.0.0/16 127.0.1.2", "198.51.100.0/25 127.0.1.6", "203.0.113.0/24 127.0.1.6",
	})
}

func TestWithoutFiltersInBIRD(t *testing.T) {
	bird, birdc := birdBinaries(t)
	n := testNetwork()
	n.Peers = []Peer{
		{Name: "f5-ebgp", Address: netip.MustParseAddr("127.0.1.5"), ASNumber: 64513},
		{Name: "f5-ibgp", Address: netip.MustParseAddr("127.0.1.6"), ASNumber: n.ASNumber},
	}
	lab := startBIRD(t, bird, birdc, n, false)
	// What the BIG-IP has lands on the node.
	lab.expectRoute("node-1", "203.0.113.0/24 127.0.1.5")
	// A block by way of a host it is not on.
	lab.expectRoute("f5-ebgp", "10.100.0.0/26 127.0.1.2")
	// A pod of a block that is not confirmed.
	lab.expectRoute("f5-ibgp", "10.100.9.7/32 127.0.1.1")
}

func birdBinaries(t *testing.T) (string, string) {
	t.Helper()
	t.Parallel()
	bird, err1 := exec.LookPath("bird")
	birdc, err2 := exec.LookPath("birdc")
	if err1 != nil || err2 != nil {
		t.Skip("needs BIRD 1.6 (Debian package bird)")
	}
	out, _ := exec.Command(bird, "--version").CombinedOutput()
	if !bytes.Contains(out, []byte("version 1.6")) {
		t.Skipf("needs BIRD 1.6, as in Calico; this is %s", bytes.TrimSpace(out))
	}
	return bird, birdc
}

type birdLab struct {
	t     *testing.T
	birdc string
	ctl   map[string]string
}

func startBIRD(t *testing.T, bird, birdc string, n Network, filtered bool) *birdLab {
	t.Helper()
	lab := &birdLab{t, birdc, map[string]string{}}
	port := freePort(t)
	hosts := []birdHost{
		{Name: "node-1", Address: "127.0.1.1", Services: n.ServiceCIDR.String(),
			Blocks: []string{"10.100.0.0/26"}, Kernel: []string{"10.100.0.7/32", "10.100.9.7/32"}},
		{Name: "node-2", Address: "127.0.1.2", Services: n.ServiceCIDR.String(), Blocks: []string{"10.100.0.64/26"}},
		{Name: "master-1", Address: "127.0.1.3", Blocks: []string{"10.100.0.128/26"}},
	}
	dir := t.TempDir()
	for i, h := range hosts {
		h.Port, h.AS, h.Pods, h.Confirmed = port, n.ASNumber, n.PodCIDR.String(), h.Blocks
		for j, o := range hosts {
			if i != j {
				h.Mesh = append(h.Mesh, birdPeer{Name: strings.ReplaceAll(o.Name, "-", ""), Address: o.Address, AS: n.ASNumber})
			}
		}
		for _, p := range n.Peers {
			g := birdPeer{Name: strings.ReplaceAll(p.Name, "-", ""), Address: p.Address.String(), AS: p.ASNumber}
			if filtered {
				in, out, funcs := renderFilter(t, n, p)
				g.Import, g.Export = in, out
				h.Filters = append(h.Filters, funcs...)
			}
			h.Global = append(h.Global, g)
		}
		var conf bytes.Buffer
		tmpl := template.Must(template.ParseFiles("testdata/bird.conf.tmpl"))
		if err := tmpl.Execute(&conf, h); err != nil {
			t.Fatal(err)
		}
		lab.start(bird, dir, h.Name, conf.String())
	}
	for _, p := range n.Peers {
		lab.start(bird, dir, p.Name, bigip(p, n.ASNumber, port, hosts))
	}
	return lab
}

// bigip is a speaker in the BIG-IP's place, which announces all sorts of things.
func bigip(p Peer, cluster uint32, port int, hosts []birdHost) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log stderr all;\nrouter id %s;\nlisten bgp address %s port %d;\nprotocol device { }\n", p.Address, p.Address, port)
	b.WriteString("protocol static hops { route 127.0.0.0/8 via \"lo\"; }\nprotocol static {\n")
	for _, r := range []string{"0.0.0.0/0", "203.0.113.0/24", "198.51.100.0/25", "10.100.0.0/16", "10.101.0.0/17"} {
		fmt.Fprintf(&b, "  route %s blackhole;\n", r)
	}
	b.WriteString("}\n")
	for _, h := range hosts {
		fmt.Fprintf(&b, `protocol bgp %s {
  local as %d; neighbor %s port %d as %d; source address %s; multihop; gateway recursive;
  connect delay time 1; connect retry time 1; error wait time 1,1;
  import all; export where source = RTS_STATIC;
}
`, strings.ReplaceAll(h.Name, "-", ""), p.ASNumber, h.Address, port, cluster, p.Address)
	}
	return b.String()
}

func (l *birdLab) start(bird, dir, name, conf string) {
	l.t.Helper()
	file, ctl := filepath.Join(dir, name+".conf"), filepath.Join(dir, name+".ctl")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		l.t.Fatal(err)
	}
	if out, err := exec.Command(bird, "-p", "-c", file).CombinedOutput(); err != nil {
		l.t.Fatalf("BIRD refuses %s: %v\n%s\n%s", name, err, out, conf)
	}
	cmd := exec.Command(bird, "-f", "-c", file, "-s", ctl)
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.ctl[name] = ctl
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func (l *birdLab) show(name string) string {
	out, _ := exec.Command(l.birdc, "-s", l.ctl[name], "show", "route", "all").Output()
	return string(out)
}

var (
	birdPrefix = regexp.MustCompile(`^(\d[\d./]*)\s`)
	birdHop    = regexp.MustCompile(`BGP\.next_hop: (\S+)`)
)

// routes lists "prefix nexthop" of what came over BGP.
func (l *birdLab) routes(name string) []string {
	var out []string
	prefix := ""
	for line := range strings.Lines(l.show(name)) {
		if m := birdPrefix.FindStringSubmatch(line); m != nil {
			prefix = m[1]
		}
		if m := birdHop.FindStringSubmatch(line); m != nil {
			out = append(out, prefix+" "+m[1])
		}
	}
	slices.Sort(out)
	return out
}

func (l *birdLab) wait(what, name string, ok func() bool) {
	l.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: want %s, have\n%s", name, what, l.show(name))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (l *birdLab) expect(name string, want []string) {
	l.t.Helper()
	l.wait(fmt.Sprintf("exactly %q", want), name, func() bool { return slices.Equal(l.routes(name), want) })
}

func (l *birdLab) expectRoute(name, want string) {
	l.t.Helper()
	l.wait(want, name, func() bool { return slices.Contains(l.routes(name), want) })
}

// freePort is below those that the kernel hands out, to which it would not be
// free for long.
func freePort(t *testing.T) int {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.1.1:%d", 20000+rand.IntN(12000))); err == nil {
			defer l.Close()
			return l.Addr().(*net.TCPAddr).Port
		}
	}
	t.Fatal(err)
	return 0
}

// renderFilter writes the filter as confd does: BGPFilterBIRDFuncs and what it
// calls in confd/pkg/resource/template/template_funcs.go.
func renderFilter(t *testing.T, n Network, p Peer) (in, out string, funcs []string) {
	t.Helper()
	var f v3.BGPFilter
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(filter(n, p).Object, &f); err != nil {
		t.Fatal(err)
	}
	in = fmt.Sprintf("'bgp_%s_importFilterV4'", f.Name)
	out = fmt.Sprintf("'bgp_%s_exportFilterV4'", f.Name)
	for name, rules := range map[string][]v3.BGPFilterRuleV4{in: f.Spec.ImportV4, out: f.Spec.ExportV4} {
		lines := []string{fmt.Sprintf("function %s() {", name)}
		for _, r := range rules {
			lines = append(lines, "  "+renderRule(r))
		}
		funcs = append(funcs, strings.Join(append(lines, "}"), "\n"))
	}
	return in, out, funcs
}

func renderRule(r v3.BGPFilterRuleV4) string {
	var conditions []string
	if r.CIDR != "" {
		cidr := r.CIDR
		if l := r.PrefixLength; l != nil {
			cidr = fmt.Sprintf("[ %s{%d,%d} ]", r.CIDR, *l.Min, *l.Max)
		}
		op := map[v3.BGPFilterMatchOperator]string{v3.Equal: "=", v3.NotEqual: "!=", v3.In: "~", v3.NotIn: "!~"}[r.MatchOperator]
		conditions = append(conditions, fmt.Sprintf("(net %s %s)", op, cidr))
	}
	if r.Source == v3.BGPFilterSourceRemotePeers {
		conditions = append(conditions, "((defined(source))&&(source ~ [ RTS_BGP ]))")
	}
	action := strings.ToLower(string(r.Action)) + ";"
	if len(conditions) == 0 {
		return action
	}
	return fmt.Sprintf("if (%s) then { %s }", strings.Join(conditions, "&&"), action)
}
