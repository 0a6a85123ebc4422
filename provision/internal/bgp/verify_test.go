package bgp

import (
	"net/netip"
	"slices"
	"testing"
)

// healthy is what a BIG-IP has when all is well, with things of others.
func healthy() ([]Session, []Route) {
	sessions := []Session{
		{Peer: addr("10.90.0.1"), AS: 65000, State: "Idle"},
		{Peer: addr("10.90.0.11"), AS: 64512, State: Established},
		{Peer: addr("10.90.0.21"), AS: 64512, State: Established},
		{Peer: addr("10.90.0.22"), State: Established},
	}
	routes := []Route{
		{prefix("0.0.0.0/0"), []netip.Addr{addr("10.90.0.1")}},
		{prefix("10.100.0.0/26"), []netip.Addr{addr("10.90.0.21")}},
		{prefix("10.100.0.64/26"), []netip.Addr{addr("10.90.0.22")}},
		{prefix("10.101.0.0/16"), []netip.Addr{addr("10.90.0.22"), addr("10.90.0.21")}},
		{prefix("10.101.3.4/32"), []netip.Addr{addr("10.90.0.22")}},
	}
	return sessions, routes
}

func TestVerifyNothing(t *testing.T) {
	sessions, routes := healthy()
	if got := Verify(testPeering(), sessions, routes); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
}

func TestVerify(t *testing.T) {
	hop := func(s ...string) (out []netip.Addr) {
		for _, a := range s {
			out = append(out, addr(a))
		}
		return out
	}
	type world struct {
		want     Peering
		sessions []Session
		routes   []Route
	}
	for name, c := range map[string]struct {
		change func(*world)
		want   []string
	}{
		"not listed": {func(w *world) { w.sessions = w.sessions[:3] }, []string{
			"no-session kube-node-2: 10.90.0.22 is not among the neighbors"}},
		"down": {func(w *world) { w.sessions[2].State, w.sessions[2].Reason = "Active", "Hold Timer Expired" }, []string{
			"session-down kube-node-1: the session with 10.90.0.21 is down: Active, Hold Timer Expired"}},
		"AS": {func(w *world) { w.sessions[1].AS = 65001 }, []string{
			"wrong-as kube-master-1: 10.90.0.11 is expected in AS 65001, the cluster's is 64512"}},
		"no block": {func(w *world) { w.want.Neighbors[0].Blocks, w.routes[2].Prefix = nil, prefix("10.0.0.0/26") }, []string{
			"no-block kube-node-2: it has no block of 10.100.0.0/16 yet"}},
		"no route": {func(w *world) { w.routes[1].Prefix = prefix("10.0.0.0/26") }, []string{
			"no-route kube-node-1 10.100.0.0/26: there is no route to 10.100.0.0/26"}},
		"route into nothing": {func(w *world) { w.routes[1].NextHops = nil }, []string{
			"no-route kube-node-1 10.100.0.0/26: there is no route to 10.100.0.0/26"}},
		"by way of another": {func(w *world) { w.routes[1].NextHops = hop("10.90.0.22") }, []string{
			"wrong-nexthop kube-node-1 10.100.0.0/26: 10.100.0.0/26 goes by way of 10.90.0.22, want 10.90.0.21 alone"}},
		"several paths": {func(w *world) { w.routes[1].NextHops = hop("10.90.0.21", "10.90.0.22") }, []string{
			"wrong-nexthop kube-node-1 10.100.0.0/26: 10.100.0.0/26 goes by way of 10.90.0.21 and 10.90.0.22, want 10.90.0.21 alone"}},
		"several rows": {func(w *world) {
			w.routes = append(w.routes, Route{prefix("10.100.0.0/26"), hop("10.90.0.22")})
		}, []string{
			"wrong-nexthop kube-node-1 10.100.0.0/26: 10.100.0.0/26 goes by way of 10.90.0.21 and 10.90.0.22, want 10.90.0.21 alone"}},
		"master's block": {func(w *world) { w.want.Neighbors[2].Blocks = []netip.Prefix{prefix("10.100.0.128/26")} }, []string{
			"no-route kube-master-1 10.100.0.128/26: there is no route to 10.100.0.128/26"}},
		"no services": {func(w *world) { w.routes[3].NextHops = nil }, []string{
			"no-route 10.101.0.0/16: there is no route to the services 10.101.0.0/16"}},
		"services by one": {func(w *world) { w.routes[3].NextHops = hop("10.90.0.21", "10.90.0.21") }, []string{
			"few-paths 10.101.0.0/16: 10.101.0.0/16 goes by way of 1 hosts, want 2"}},
		"services by a master": {func(w *world) { w.routes[3].NextHops = hop("10.90.0.11", "10.90.0.21", "10.90.0.22") }, []string{
			"wrong-nexthop kube-master-1 10.101.0.0/16: 10.101.0.0/16 goes by way of kube-master-1, which must not announce services"}},
		"services by a stranger": {func(w *world) { w.routes[4].NextHops = hop("10.90.0.99") }, []string{
			"wrong-nexthop 10.101.3.4/32: 10.101.3.4/32 goes by way of 10.90.0.99, which is not of this cluster"}},
		"a node that is away": {func(w *world) {
			w.want.Neighbors[1].Away, w.sessions[2].State = true, "Active"
			w.routes = slices.Delete(w.routes, 1, 2)
			w.routes[2].NextHops = hop("10.90.0.22")
		}, nil},
		"a node that is away, and not gone yet": {func(w *world) { w.want.Neighbors[1].Away = true }, nil},
		"a node that is away, and another down": {func(w *world) {
			w.want.Neighbors[1].Away, w.sessions[3].State = true, "Active"
		}, []string{"session-down kube-node-2: the session with 10.90.0.22 is down: Active"}},
		"masters alone": {func(w *world) { w.want.Neighbors, w.routes = w.want.Neighbors[2:], nil }, nil},
		"a host that is gone": {func(w *world) {
			w.routes = append(w.routes, Route{prefix("10.100.9.0/26"), hop("10.90.0.29")}, Route{prefix("10.100.0.7/32"), nil})
		}, []string{
			"stray 10.100.0.7/32: 10.100.0.7/32 goes by way of nobody, but is the block of no host",
			"stray 10.100.9.0/26: 10.100.9.0/26 goes by way of 10.90.0.29, but is the block of no host"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{want: testPeering()}
			w.sessions, w.routes = healthy()
			c.change(&w)
			var got []string
			for _, f := range Verify(w.want, w.sessions, w.routes) {
				s := string(f.Kind)
				if f.Host != "" {
					s += " " + f.Host
				}
				if f.Prefix.IsValid() {
					s += " " + f.Prefix.String()
				}
				got = append(got, s+": "+f.Text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestFewPathsEndsAtWhatABigIPHas(t *testing.T) {
	p := testPeering()
	p.Neighbors = nil
	r := Route{Prefix: p.ServiceCIDR}
	var sessions []Session
	var routes []Route
	for i := 1; i <= 20; i++ {
		b := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 100, byte(i), 0}), 26)
		p.Neighbors = append(p.Neighbors, Neighbor{Name: "n", Address: host(i), Services: true, Blocks: []netip.Prefix{b}})
		sessions = append(sessions, Session{Peer: host(i), State: Established})
		routes = append(routes, Route{b, []netip.Addr{host(i)}})
		if i <= maxPaths {
			r.NextHops = append(r.NextHops, host(i))
		}
	}
	if got := Verify(p, sessions, append(routes, r)); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
	r.NextHops = r.NextHops[1:]
	if got := Verify(p, sessions, append(routes, r)); len(got) != 1 || got[0].Kind != FewPaths {
		t.Errorf("got %+v", got)
	}
}
