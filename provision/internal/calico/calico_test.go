package calico

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory"
)

var update = flag.Bool("update", false, "write what the tests got as what they want")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (rewrite it with -update); got\n%s", file, got)
	}
}

// release is manifests/calico.yaml of v3.30.1, as it is.
func release(t testing.TB) []byte {
	t.Helper()
	packed, err := os.ReadFile("testdata/calico-v3.30.1.yaml.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func testNetwork() Network {
	return Network{
		ASNumber:    64512,
		PodCIDR:     netip.MustParsePrefix("10.100.0.0/16"),
		ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"),
		BlockSize:   26,
		Peers: []Peer{
			{Name: "f5-a", Address: netip.MustParseAddr("10.90.0.5"), ASNumber: 64512, Password: inventory.NewSecret(testPassword)},
			{Name: "f5-b", Address: netip.MustParseAddr("10.90.0.6"), ASNumber: 4200000001, Accept: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		},
	}
}

const testPassword = "pass|word'$1"

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
