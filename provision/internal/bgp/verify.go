package bgp

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Kind is what a finding is about.
type Kind string

// The kinds of findings.
const (
	NoSession    Kind = "no-session"    // the BIG-IP does not list the host
	SessionDown  Kind = "session-down"  // listed, not established
	WrongAS      Kind = "wrong-as"      // listed with another AS number
	NoBlock      Kind = "no-block"      // the host has no block, so nothing is proven; a pod on it gets it one
	NoRoute      Kind = "no-route"      // a block, or the service network, is missing
	WrongNextHop Kind = "wrong-nexthop" // by way of another host, or of several
	FewPaths     Kind = "few-paths"     // the service network by fewer hosts than there are
	Stray        Kind = "stray"         // within the cluster's networks, but nobody's
)

// Finding is one difference between what a BIG-IP has and what it should have.
type Finding struct {
	Kind   Kind
	Host   string       // the host it is about, if one
	Prefix netip.Prefix // the route it is about, if one
	Text   string
}

// Verify compares a BIG-IP's sessions and routes with the peering. Nothing
// found means: every session is up, every block is reached by its own host and
// no other, services by hosts that may announce them.
func Verify(want Peering, sessions []Session, routes []Route) []Finding {
	v := verifier{want: want, host: map[netip.Addr]Neighbor{}, route: map[netip.Prefix]Route{}}
	for _, n := range want.Neighbors {
		v.host[n.Address] = n
	}
	for _, r := range routes {
		have := v.route[r.Prefix]
		v.route[r.Prefix] = Route{r.Prefix, append(have.NextHops, r.NextHops...)}
	}
	v.sessions(sessions)
	v.blocks()
	v.services()
	v.strays()
	return v.found
}

type verifier struct {
	want  Peering
	host  map[netip.Addr]Neighbor
	route map[netip.Prefix]Route
	found []Finding
}

func (v *verifier) add(k Kind, host string, p netip.Prefix, format string, args ...any) {
	v.found = append(v.found, Finding{k, host, p, fmt.Sprintf(format, args...)})
}

func (v *verifier) sessions(list []Session) {
	for _, n := range v.want.awaited() {
		i := slices.IndexFunc(list, func(s Session) bool { return s.Peer == n.Address })
		if i < 0 {
			v.add(NoSession, n.Name, netip.Prefix{}, "%s is not among the neighbors", n.Address)
			continue
		}
		s := list[i]
		if s.AS != 0 && s.AS != v.want.ClusterAS {
			v.add(WrongAS, n.Name, netip.Prefix{}, "%s is expected in AS %d, the cluster's is %d", n.Address, s.AS, v.want.ClusterAS)
		}
		if !s.Up() {
			why := string(s.State)
			if s.Reason != "" {
				why += ", " + s.Reason
			}
			v.add(SessionDown, n.Name, netip.Prefix{}, "the session with %s is down: %s", n.Address, why)
		}
	}
}

func (v *verifier) blocks() {
	for _, n := range v.want.awaited() {
		if len(n.Blocks) == 0 && n.Services { // masters seldom run pods of the pool
			v.add(NoBlock, n.Name, netip.Prefix{}, "it has no block of %s yet", v.want.PodCIDR)
		}
		for _, b := range n.Blocks {
			r, ok := v.route[b]
			switch {
			case !ok || len(r.NextHops) == 0:
				v.add(NoRoute, n.Name, b, "there is no route to %s", b)
			case len(r.NextHops) != 1 || r.NextHops[0] != n.Address:
				v.add(WrongNextHop, n.Name, b, "%s goes by way of %s, want %s alone", b, v.names(r.NextHops), n.Address)
			}
		}
	}
}

func (v *verifier) services() {
	cidr := v.want.ServiceCIDR
	able := 0
	for _, n := range v.want.awaited() {
		if n.Services {
			able++
		}
	}
	r := v.route[cidr]
	hops := v.announcers(r)
	switch {
	case able == 0: // masters alone: nobody may announce it
	case len(r.NextHops) == 0:
		v.add(NoRoute, "", cidr, "there is no route to the services %s", cidr)
	case len(hops) < min(able, maxPaths):
		v.add(FewPaths, "", cidr, "%s goes by way of %d hosts, want %d", cidr, len(hops), min(able, maxPaths))
	}
}

// announcers are the next hops that may be, each once; the others are reported.
func (v *verifier) announcers(r Route) []netip.Addr {
	var good []netip.Addr
	for _, hop := range unique(r.NextHops) {
		switch n, ok := v.host[hop]; {
		case ok && n.Services:
			good = append(good, hop)
		case ok:
			v.add(WrongNextHop, n.Name, r.Prefix, "%s goes by way of %s, which must not announce services", r.Prefix, n.Name)
		default:
			v.add(WrongNextHop, "", r.Prefix, "%s goes by way of %s, which is not of this cluster", r.Prefix, hop)
		}
	}
	return good
}

// strays are routes within the cluster's networks that no host accounts for: of
// a host that is gone, or of single pods. Single service addresses are no
// strays; they come with externalTrafficPolicy: Local.
func (v *verifier) strays() {
	known := map[netip.Prefix]bool{v.want.ServiceCIDR: true}
	for _, n := range v.want.Neighbors {
		for _, b := range n.Blocks {
			known[b] = true
		}
	}
	for _, r := range v.sortedRoutes() {
		switch {
		case known[r.Prefix]:
		case within(r.Prefix, v.want.ServiceCIDR):
			v.announcers(r)
		case within(r.Prefix, v.want.PodCIDR):
			v.add(Stray, "", r.Prefix, "%s goes by way of %s, but is the block of no host", r.Prefix, v.names(r.NextHops))
		}
	}
}

func (v *verifier) sortedRoutes() []Route {
	var out []Route
	for _, r := range v.route {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Route) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return out
}

func (v *verifier) names(hops []netip.Addr) string {
	var out []string
	for _, h := range hops {
		out = append(out, h.String())
	}
	return cmp.Or(strings.Join(out, " and "), "nobody")
}

func within(p, outer netip.Prefix) bool {
	return outer.IsValid() && outer.Overlaps(p) && p.Bits() >= outer.Bits()
}

func unique(hops []netip.Addr) []netip.Addr {
	out := slices.SortedFunc(slices.Values(hops), netip.Addr.Compare)
	return slices.Compact(out)
}
