package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseSummary(t *testing.T) {
	got, err := ParseSummary(read(t, "summary.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Session{
		{Peer: addr("10.90.0.11"), AS: 64512, State: Established, Uptime: "00:00:01", Prefixes: 2},
		{Peer: addr("10.90.0.12"), AS: 64512, State: "Connect"},
		{Peer: addr("10.90.0.13"), AS: 64512, State: "Active", Uptime: "never"},
		{Peer: addr("10.90.0.21"), AS: 64512, State: "Idle", Reason: "Admin"},
		{Peer: addr("10.90.0.22"), AS: 4200000001, State: Established, Uptime: "02w1d03h", Prefixes: 1024},
		{Peer: addr("2001:db8:0:1:222:fff:fe33:4455"), AS: 65001, State: Established, Uptime: "1d02h03m"},
		{Peer: addr("10.90.0.23"), AS: 64512, State: "Idle", Uptime: "00:05:11", Reason: "PfxCt"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestParseNeighbors(t *testing.T) {
	got, err := ParseNeighbors(read(t, "neighbors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Session{
		{Peer: addr("10.90.0.21"), AS: 64512, State: Established, Uptime: "00:00:43", Prefixes: 2, Name: "prod1"},
		{Peer: addr("10.90.0.22"), AS: 64512, State: "Connect", Name: "prod1", Reason: "Hold Timer Expired"},
		{Peer: addr("10.90.0.31"), AS: 65001, State: "Idle", Reason: "administratively shut down"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if got, err := ParseNeighbors("\n"); len(got) != 0 || err != nil {
		t.Errorf("without neighbors: %v, %v", got, err)
	}
}

func TestParseRoutes(t *testing.T) {
	got, err := ParseRoutes(read(t, "routes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"0.0.0.0/0 [10.90.0.1]",
		"10.100.0.0/26 [10.90.0.21]",
		"10.100.0.64/26 [10.90.0.22]",
		"10.101.0.0/16 [10.90.0.21 10.90.0.22]",
		"10.100.235.192/26 [10.90.0.23]",
		"10.102.0.0/16 []",
		"10.103.0.0/16 [10.90.0.21]",
	}
	var have []string
	for _, r := range got {
		have = append(have, fmt.Sprint(r.Prefix, r.NextHops))
	}
	for i := range want {
		want[i] = strings.Replace(want[i], " [", "[", 1)
	}
	for i := range have {
		have[i] = strings.Replace(have[i], " [", "[", 1)
	}
	if !slices.Equal(have, want) {
		t.Errorf("got %q", have)
	}
	if got, err := ParseRoutes("\nGateway of last resort is not set\n"); len(got) != 0 || err != nil {
		t.Errorf("without routes: %v, %v", got, err)
	}
}

func TestParseBIRD(t *testing.T) {
	got, err := ParseBIRD(read(t, "bird.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Session{
		{Peer: addr("10.90.0.22"), State: Established, Uptime: "16:59:04", Name: "Mesh_10_90_0_22"},
		{Peer: addr("10.90.0.5"), State: "Active", Uptime: "16:59:01", Name: "Global_10_90_0_5", Reason: "Socket: Connection refused"},
		{Peer: addr("10.90.0.6"), State: "OpenSent", Uptime: "2026-11-23", Name: "Global_10_90_0_6_port_1179"},
		{Peer: addr("10.90.0.7"), State: "Idle", Uptime: "16:59:01", Name: "Node_10_90_0_7", Reason: "down"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	got, err = ParseBIRD(read(t, "bird-all.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []Session{{Peer: addr("10.90.0.5"), AS: 64513, State: Established, Uptime: "16:59:02", Prefixes: 2, Name: "Global_10_90_0_5"}}; !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// "Could not look" is an error and never an empty table.
func TestParsersRefuse(t *testing.T) {
	parsers := map[string]func(string) error{
		"summary":   func(s string) error { _, err := ParseSummary(s); return err },
		"neighbors": func(s string) error { _, err := ParseNeighbors(s); return err },
		"routes":    func(s string) error { _, err := ParseRoutes(s); return err },
		"bird":      func(s string) error { _, err := ParseBIRD(s); return err },
	}
	for name, parse := range parsers {
		for _, bad := range []string{"% BGP is not running\n", "imish: failed to connect to any daemons\n", "    ^\n% Invalid input detected at '^' marker.\n"} {
			if parse(bad) == nil {
				t.Errorf("%s takes %q", name, bad)
			}
		}
	}
	for name, bad := range map[string]string{
		"summary":   "",
		"bird":      "",
		"neighbors": "BGP neighbor is 10.0.0.1, remote AS 64512, local AS 1, internal link\n",
		"routes":    "B       10.0.0.0 [200/0] via 10.1.20.20\n",
	} {
		if parsers[name](bad) == nil {
			t.Errorf("%s takes %q", name, bad)
		}
	}
	const head = "BGP router identifier 10.0.0.1, local AS number 1\n\nNeighbor V AS\n"
	for _, row := range []string{"10.0.0.1", "10.0.0.1 4 1 2 3 4 0 0 2", "10.0.0.1 4 1 2 3 4 0 0 00:00:01 Up", "10.0.0.1 4 AS 2 3 4 0 0 00:00:01 2", "10.0.0.1 4 1 2 3 4 0 0 00:00:01"} {
		if parsers["summary"](head+row+"\n") == nil {
			t.Errorf("a summary takes the row %q", row)
		}
	}
	wantError(t, parsers["summary"]("% BGP is not running\n"), "the BIG-IP answers: % BGP is not running")
}

// What is printed with ZebOS's widths, however long the numbers, reads back.
func TestSummaryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString("BGP router identifier 10.90.0.5, local AS number 64512\n\n")
		b.WriteString("Neighbor        V    AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n")
		var want []Session
		for i := range rapid.IntRange(0, 8).Draw(t, "n") {
			s := Session{Peer: netip.AddrFrom4([4]byte{10, 0, byte(i), rapid.Byte().Draw(t, "a")}), AS: rapid.Uint32Min(1).Draw(t, "as")}
			info := ""
			if rapid.Bool().Draw(t, "up") {
				s.State, s.Prefixes = Established, rapid.IntRange(0, 1<<20).Draw(t, "prefixes")
				s.Uptime = rapid.SampledFrom([]string{"00:00:00", "1d02h03m", "02w1d03h", "99w6d23h"}).Draw(t, "uptime")
				info = fmt.Sprintf("%8d", s.Prefixes)
			} else {
				s.State = rapid.SampledFrom([]State{"Idle", "Connect", "Active", "OpenSent", "OpenConfirm"}).Draw(t, "state")
				info = string(s.State)
			}
			msgs := rapid.Uint32().Draw(t, "messages")
			fmt.Fprintf(&b, "%-15s 4 %5d %7d %7d %8d %4d %4d %8s %s\n", s.Peer, s.AS, msgs, msgs, msgs, 0, 0, s.Uptime, info)
			want = append(want, s)
		}
		fmt.Fprintf(&b, "\nTotal number of neighbors %d\n", len(want))
		got, err := ParseSummary(b.String())
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v: got %+v of\n%s", err, got, b.String())
		}
	})
}

func FuzzParsers(f *testing.F) {
	for _, name := range []string{"summary.txt", "neighbors.txt", "routes.txt", "bird.txt", "bird-all.txt"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, parse := range map[string]func(string) ([]Session, error){"summary": ParseSummary, "neighbors": ParseNeighbors, "bird": ParseBIRD} {
			list, err := parse(text)
			if err != nil && len(list) > 0 {
				t.Errorf("%s: sessions and an error", name)
			}
			for _, s := range list {
				if !s.Peer.IsValid() || s.State == "" || s.Prefixes < 0 {
					t.Errorf("%s: %+v", name, s)
				}
			}
		}
		routes, err := ParseRoutes(text)
		if err != nil && len(routes) > 0 {
			t.Error("routes and an error")
		}
		for _, r := range routes {
			if !r.Prefix.IsValid() {
				t.Errorf("%+v", r)
			}
		}
	})
}
