package zebos

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// bgpTable is FRR's "show ip bgp json", also of one neighbor's routes.
type bgpTable struct {
	TableVersion int               `json:"tableVersion"`
	RouterID     string            `json:"routerId"`
	Routes       map[string][]path `json:"routes"`
}

type path struct {
	Valid    bool    `json:"valid"`
	Best     bool    `json:"bestpath"`
	From     string  `json:"pathFrom"`
	PeerID   string  `json:"peerId"`
	Stale    bool    `json:"stale"`
	Metric   *uint32 `json:"metric"`
	LocPrf   *uint32 `json:"locPrf"`
	Weight   uint32  `json:"weight"`
	Path     string  `json:"path"`
	Origin   string  `json:"origin"`
	Nexthops []struct {
		IP string `json:"ip"`
	} `json:"nexthops"`
}

type summary struct {
	Family *struct {
		RouterID     string                 `json:"routerId"`
		AS           uint32                 `json:"as"`
		TableVersion int                    `json:"tableVersion"`
		Peers        map[string]summaryPeer `json:"peers"`
	} `json:"ipv4Unicast"`
}

type summaryPeer struct {
	RemoteAS uint32 `json:"remoteAs"`
	Received int    `json:"msgRcvd"`
	Sent     int    `json:"msgSent"`
	InQ      int    `json:"inq"`
	OutQ     int    `json:"outq"`
	Uptime   string `json:"peerUptime"`
	Prefixes int    `json:"pfxRcd"`
	State    string `json:"state"`
}

// NoBGP is what a show command says without a BGP process.
const NoBGP = "% BGP is not running\n"

// BGPSummary renders "show ip bgp summary" from FRR's JSON of the same command
// and, for the number of AS paths, of "show ip bgp". FRR does not tell how many
// communities it holds; the lab prints 0.
func BGPSummary(summaryJSON, tableJSON []byte) (string, error) {
	var s summary
	if err := decode(summaryJSON, &s); err != nil {
		return "", err
	}
	if s.Family == nil {
		return NoBGP, nil
	}
	var table bgpTable
	if err := decode(tableJSON, &table); err != nil {
		return "", err
	}
	asPaths := map[string]bool{}
	for _, paths := range table.Routes {
		for _, p := range paths {
			asPaths[p.Path] = true
		}
	}
	delete(asPaths, "")

	var b strings.Builder
	fmt.Fprintf(&b, "BGP router identifier %s, local AS number %d\n", s.Family.RouterID, s.Family.AS)
	fmt.Fprintf(&b, "BGP table version is %d\n%d BGP AS-PATH entries\n0 BGP community entries\n\n", s.Family.TableVersion, len(asPaths))
	b.WriteString("Neighbor        V    AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n")
	for _, addr := range sortedAddrs(s.Family.Peers) {
		p := s.Family.Peers[addr]
		version, uptime, state := 0, p.Uptime, p.State
		if uptime == "never" {
			uptime = ""
		}
		if state == "Established" {
			version, state = s.Family.TableVersion, fmt.Sprintf("%8d", p.Prefixes)
		}
		fmt.Fprintf(&b, "%-15s 4 %5d %7d %7d %8d %4d %4d %8s %s\n", addr, p.RemoteAS, p.Received, p.Sent, version, p.InQ, p.OutQ, uptime, state)
	}
	fmt.Fprintf(&b, "\nTotal number of neighbors %d\n", len(s.Family.Peers))
	return b.String(), nil
}

// BGPTable renders "show ip bgp" and "show ip bgp neighbors A routes".
func BGPTable(tableJSON []byte) (string, error) {
	var t bgpTable
	if err := decode(tableJSON, &t); err != nil {
		return "", err
	}
	if t.RouterID == "" {
		return NoBGP, nil
	}
	if len(t.Routes) == 0 {
		return "", nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "BGP table version is %d, local router ID is %s\n", t.TableVersion, t.RouterID)
	b.WriteString("Status codes: s suppressed, d damped, h history, * valid, > best, i - internal, l - labeled\n" +
		"              S Stale\n" +
		"Origin codes: i - IGP, e - EGP, ? - incomplete\n\n" +
		"   Network          Next Hop            Metric     LocPrf     Weight Path\n")
	for _, network := range sortedPrefixes(t.Routes) {
		shown := network
		for _, p := range t.Routes[network] {
			b.WriteString(p.row(shown))
			shown = ""
		}
	}
	fmt.Fprintf(&b, "\nTotal number of prefixes %d\n", len(t.Routes))
	return b.String(), nil
}

func (p path) row(network string) string {
	status := []byte("   ")
	if p.Valid {
		status[0] = '*'
	}
	if p.Stale {
		status[0] = 'S'
	}
	if p.Best {
		status[1] = '>'
	}
	if p.From == "internal" {
		status[2] = 'i'
	}
	hop := ""
	if len(p.Nexthops) > 0 {
		hop = p.Nexthops[0].IP
	}
	if len(network) > 16 { // ZebOS breaks the line rather than the columns
		network += "\n" + strings.Repeat(" ", 20)
	} else {
		network = fmt.Sprintf("%-17s", network)
	}
	words := append(strings.Fields(p.Path), originCode(p.Origin))
	return fmt.Sprintf("%s%s%-16s%10s%11s%11d %s\n", status, network, hop, optional(p.Metric), optional(p.LocPrf), p.Weight, strings.Join(words, " "))
}

func originCode(origin string) string {
	switch origin {
	case "IGP":
		return "i"
	case "EGP":
		return "e"
	}
	return "?"
}

func optional(v *uint32) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

// decode reads FRR's JSON; what is not JSON is FRR's message.
func decode(data []byte, into any) error {
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("reading FRR's JSON (%.80q): %w", strings.TrimSpace(string(data)), err)
	}
	return nil
}

func sortedAddrs[V any](m map[string]V) []string {
	return sorted(m, func(a, b string) int {
		x, _ := netip.ParseAddr(a)
		y, _ := netip.ParseAddr(b)
		return cmp.Or(x.Compare(y), cmp.Compare(a, b))
	})
}

func sortedPrefixes[V any](m map[string]V) []string {
	return sorted(m, func(a, b string) int {
		x, _ := netip.ParsePrefix(a)
		y, _ := netip.ParsePrefix(b)
		return cmp.Or(x.Addr().Compare(y.Addr()), cmp.Compare(x.Bits(), y.Bits()), cmp.Compare(a, b))
	})
}

func sorted[V any](m map[string]V, order func(a, b string) int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, order)
	return keys
}
