package bgp

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory"
)

var update = flag.Bool("update", false, "write what the tests got as what they want")

func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	got := strings.Join(append(lines, ""), "\n")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := read(t, name); got != want {
		t.Errorf("%s differs (rewrite it with -update); got\n%s", file, got)
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func testPeering() Peering {
	return Peering{
		Cluster: "prod1", BigIP: "f5-a", RouterID: addr("10.90.0.5"), LocalAS: 64512, ClusterAS: 64512,
		PodCIDR: prefix("10.100.0.0/16"), ServiceCIDR: prefix("10.101.0.0/16"), BlockSize: 26,
		Neighbors: []Neighbor{
			{Name: "kube-node-2", Address: addr("10.90.0.22"), Services: true, Blocks: []netip.Prefix{prefix("10.100.0.64/26")}},
			{Name: "kube-node-1", Address: addr("10.90.0.21"), Services: true, Blocks: []netip.Prefix{prefix("10.100.0.0/26")}},
			{Name: "kube-master-1", Address: addr("10.90.0.11")},
		},
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one about %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error does not mention %q: %v", p, err)
		}
	}
}

func TestNew(t *testing.T) {
	c := &inventory.Cluster{Name: "prod1", PodCIDR: prefix("10.100.0.0/16"), ServiceCIDR: prefix("10.101.0.0/16")}
	c.Calico.ASNumber, c.Calico.BlockSize = 64512, 26
	c.KubeMasters = []inventory.Host{{Name: "kube-master-1", Address: addr("10.90.0.11")}}
	c.KubeNodes = []inventory.Host{{Name: "kube-node-1", Address: addr("10.90.0.21")}, {Name: "kube-node-2", Address: addr("10.90.0.22")}}
	got := New(c, inventory.BigIP{Name: "f5-a", PeerAddress: addr("10.90.0.5"), ASNumber: 64512, Password: inventory.NewSecret("secret")})
	got.Reveal = true
	want := testPeering()
	want.Password, want.Reveal = inventory.NewSecret("secret"), true
	if g, w := strings.Join(Render(got), "\n"), strings.Join(Render(want), "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
	for _, n := range got.Neighbors {
		if n.Services != strings.HasPrefix(n.Name, "kube-node") {
			t.Errorf("%s announces services: %v", n.Name, n.Services)
		}
	}
}
