package zebos

import (
	"fmt"
	"strings"
)

// route is one of FRR's "show ip route json".
type route struct {
	Prefix   string `json:"prefix"`
	Protocol string `json:"protocol"`
	Selected bool   `json:"selected"`
	Distance int    `json:"distance"`
	Metric   int    `json:"metric"`
	Uptime   string `json:"uptime"`
	Nexthops []hop  `json:"nexthops"`
}

type hop struct {
	IP        string `json:"ip"`
	Interface string `json:"interfaceName"`
	Connected bool   `json:"directlyConnected"`
	Blackhole bool   `json:"blackhole"`
	FIB       bool   `json:"fib"`
}

const routeCodes = `Codes: K - kernel, C - connected, S - static, R - RIP, B - BGP
       O - OSPF, IA - OSPF inter area
       N1 - OSPF NSSA external type 1, N2 - OSPF NSSA external type 2
       E1 - OSPF external type 1, E2 - OSPF external type 2
       i - IS-IS, L1 - IS-IS level-1, L2 - IS-IS level-2, ia - IS-IS inter area
       * - candidate default

`

// Routes renders "show ip route", and with a protocol "show ip route bgp" and
// the like. Only routes in use are shown, as on a BIG-IP.
func Routes(routesJSON []byte, protocol string) (string, error) {
	var all map[string][]route
	if err := decode(routesJSON, &all); err != nil {
		return "", err
	}
	gateway := ""
	for _, r := range all["0.0.0.0/0"] {
		if r.Selected && len(r.Nexthops) > 0 {
			gateway = r.Nexthops[0].IP
		}
	}
	var b strings.Builder
	if protocol == "" {
		b.WriteString(routeCodes)
	}
	if gateway != "" {
		fmt.Fprintf(&b, "Gateway of last resort is %s to network 0.0.0.0\n\n", gateway)
	}
	for _, prefix := range sortedPrefixes(all) {
		for _, r := range all[prefix] {
			if r.Selected && (protocol == "" || r.Protocol == protocol) {
				b.WriteString(r.row())
			}
		}
	}
	if gateway == "" {
		b.WriteString("\nGateway of last resort is not set\n")
	}
	return b.String(), nil
}

func (r route) code() string {
	code := "?"
	switch r.Protocol {
	case "bgp":
		code = "B"
	case "connected":
		code = "C"
	case "static":
		code = "S"
	case "kernel":
		code = "K"
	}
	if r.Prefix == "0.0.0.0/0" {
		code += "*"
	}
	return code
}

func (r route) row() string {
	var b strings.Builder
	lead := fmt.Sprintf("%-8s%s", r.code(), r.Prefix)
	for _, h := range r.Nexthops {
		if !h.FIB {
			continue
		}
		b.WriteString(lead + " " + r.via(h) + "\n")
		lead = strings.Repeat(" ", len(lead))
	}
	return b.String()
}

func (r route) via(h hop) string {
	switch {
	case h.Connected && r.Protocol == "connected":
		return "is directly connected, " + h.Interface
	case h.Blackhole:
		return fmt.Sprintf("[%d/%d] is directly connected, Null", r.Distance, r.Metric)
	}
	target := h.Interface
	if h.IP != "" {
		target = h.IP + ", " + h.Interface
	}
	s := fmt.Sprintf("[%d/%d] via %s", r.Distance, r.Metric, target)
	if r.Protocol == "bgp" {
		s += ", " + r.Uptime
	}
	return s
}

// RouteDetail renders "show ip route ADDRESS" and "show ip route PREFIX".
func RouteDetail(routesJSON []byte) (string, error) {
	var all map[string][]route
	if err := decode(routesJSON, &all); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, prefix := range sortedPrefixes(all) {
		for _, r := range all[prefix] {
			best := ""
			if r.Selected {
				best = ", best"
			}
			fmt.Fprintf(&b, "Routing entry for %s\n  Known via %q, distance %d, metric %d%s\n", prefix, r.Protocol, r.Distance, r.Metric, best)
			if r.Protocol == "bgp" {
				fmt.Fprintf(&b, "  Last update %s ago\n", r.Uptime)
			}
			for _, h := range r.Nexthops {
				switch {
				case h.IP != "":
					fmt.Fprintf(&b, "  * %s, via %s\n", h.IP, h.Interface)
				case h.Blackhole:
					b.WriteString("  * directly connected, Null\n")
				default:
					fmt.Fprintf(&b, "  * is directly connected, %s\n", h.Interface)
				}
			}
			b.WriteByte('\n')
		}
	}
	if b.Len() == 0 {
		return "% Network not in table\n", nil
	}
	return b.String(), nil
}

// bgpEntry is FRR's "show ip bgp PREFIX json".
type bgpEntry struct {
	Prefix string `json:"prefix"`
	Paths  []struct {
		ASPath struct {
			Text string `json:"string"`
		} `json:"aspath"`
		Origin    string  `json:"origin"`
		Metric    *uint32 `json:"metric"`
		LocPrf    *uint32 `json:"locPrf"`
		Weight    uint32  `json:"weight"`
		Valid     bool    `json:"valid"`
		Community struct {
			Text string `json:"string"`
		} `json:"community"`
		Best struct {
			Overall bool `json:"overall"`
		} `json:"bestpath"`
		LastUpdate struct {
			Text string `json:"string"`
		} `json:"lastUpdate"`
		Nexthops []struct {
			IP string `json:"ip"`
		} `json:"nexthops"`
		Peer struct {
			ID       string `json:"peerId"`
			RouterID string `json:"routerId"`
			Type     string `json:"type"`
		} `json:"peer"`
	} `json:"paths"`
	AdvertisedTo map[string]any `json:"advertisedTo"`
}

// BGPEntry renders "show ip bgp PREFIX".
func BGPEntry(entryJSON []byte) (string, error) {
	var e bgpEntry
	if err := decode(entryJSON, &e); err != nil {
		return "", err
	}
	if len(e.Paths) == 0 {
		return "% Network not in table\n", nil
	}
	var b strings.Builder
	best := "no best path"
	for i, p := range e.Paths {
		if p.Best.Overall {
			best = fmt.Sprintf("best #%d", i+1)
		}
	}
	fmt.Fprintf(&b, "BGP routing table entry for %s\nPaths: (%d available, %s, table Default-IP-Routing-Table)\n", e.Prefix, len(e.Paths), best)
	if len(e.AdvertisedTo) == 0 {
		b.WriteString("  Not advertised to any peer\n")
	} else {
		fmt.Fprintf(&b, "  Advertised to non peer-group peers:\n  %s\n", strings.Join(sortedAddrs(e.AdvertisedTo), " "))
	}
	for _, p := range e.Paths {
		hop, peer := "0.0.0.0", p.Peer.ID
		if len(p.Nexthops) > 0 {
			hop = p.Nexthops[0].IP
		}
		if p.Peer.ID == "(unspec)" || peer == "" {
			peer = "0.0.0.0"
		}
		fmt.Fprintf(&b, "  %s\n    %s from %s (%s)\n", p.ASPath.Text, hop, peer, p.Peer.RouterID)
		facts := []string{"Origin " + p.Origin}
		if p.Metric != nil {
			facts[0] += fmt.Sprintf(" metric %d", *p.Metric)
		}
		if p.LocPrf != nil {
			facts = append(facts, fmt.Sprintf("localpref %d", *p.LocPrf))
		}
		if p.Weight > 0 {
			facts = append(facts, fmt.Sprintf("weight %d", p.Weight))
		}
		if p.Valid {
			facts = append(facts, "valid")
		}
		if p.Peer.Type != "" {
			facts = append(facts, p.Peer.Type)
		}
		if p.Best.Overall {
			facts = append(facts, "best")
		}
		fmt.Fprintf(&b, "      %s\n", strings.Join(facts, ", "))
		if p.Community.Text != "" {
			fmt.Fprintf(&b, "      Community: %s\n", p.Community.Text)
		}
		fmt.Fprintf(&b, "      Last update: %s\n\n", strings.TrimSpace(p.LastUpdate.Text))
	}
	return b.String(), nil
}
