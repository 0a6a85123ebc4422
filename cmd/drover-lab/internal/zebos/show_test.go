package zebos

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func input(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The inputs are what FRR 8.4.4 printed; table and routes were widened by hand
// with a second path each.
func TestShow(t *testing.T) {
	file := func(name string) []byte { return input(t, name+".json") }
	for name, render := range map[string]func() (string, error){
		"summary":        func() (string, error) { return BGPSummary(file("summary"), file("table")) },
		"neighbors":      func() (string, error) { return BGPNeighbors(file("neighbors")) },
		"table":          func() (string, error) { return BGPTable(file("table")) },
		"entry":          func() (string, error) { return BGPEntry(file("entry")) },
		"routes":         func() (string, error) { return Routes(file("routes"), "") },
		"routes_bgp":     func() (string, error) { return Routes(file("routes"), "bgp") },
		"routes_default": func() (string, error) { return Routes(file("routes_default"), "") },
		"route":          func() (string, error) { return RouteDetail(file("routes")) },
		"interfaces":     func() (string, error) { return InterfacesBrief(file("interfaces")) },
		"version":        func() (string, error) { return Version(string(input(t, "version.txt"))), nil },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := render()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, got)
		})
	}
}

// FRR answers an empty document when there is nothing, and prose when it is unhappy.
func TestShowNothing(t *testing.T) {
	for _, c := range []struct {
		got  func() (string, error)
		want string
	}{
		{func() (string, error) { return BGPSummary([]byte("{}"), nil) }, NoBGP},
		{func() (string, error) { return BGPTable([]byte("{}")) }, NoBGP},
		{func() (string, error) { return BGPEntry([]byte("{}")) }, "% Network not in table\n"},
		{func() (string, error) { return RouteDetail([]byte("{}")) }, "% Network not in table\n"},
		{func() (string, error) { return BGPNeighbors([]byte(`{"bgpNoSuchNeighbor":true}`)) }, "% No such neighbor\n"},
		{func() (string, error) { return BGPNeighbors([]byte("{\n}")) }, ""},
		{func() (string, error) { return Routes(nil, "bgp") }, "\nGateway of last resort is not set\n"},
	} {
		if got, err := c.got(); got != c.want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
	}
	if _, err := Routes([]byte("% Unknown"), ""); err == nil {
		t.Error("prose was taken for JSON")
	}
}
