package bgp

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Render is all of the BIG-IP's side, ready to be pasted into a shell that runs
// imish, for a BIG-IP on which no BGP runs yet. Where some does, [Delta] is the
// thing to use: it leaves a router-id alone, a change of which ends all sessions.
func Render(p Peering) []string {
	lines, err := Delta("", p)
	if err != nil { // there is nothing an empty configuration could contradict
		panic("bgp: " + err.Error())
	}
	return Paste(lines)
}

// Paste wraps configuration lines for an interactive imish, and saves them.
func Paste(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	out := append([]string{"enable", "configure terminal"}, lines...)
	return append(out, "end", "write")
}

// Delta is what must be entered to bring a BIG-IP with this running
// configuration to the peering; nothing when it is there already. It touches
// the cluster's peer-group and its members only, besides adding what the BGP
// process lacks altogether. What it would have to take from others is an error.
func Delta(text string, want Peering) ([]string, error) {
	have := parseRunning(text)
	if err := conflicts(have, want); err != nil {
		return nil, err
	}
	var inside []string
	if have.as == 0 {
		inside = append(inside, "bgp router-id "+want.RouterID.String())
	}
	inside = append(inside, process(have, want)...)
	inside = append(inside, group(have, want)...)
	inside = append(inside, members(have, want)...)

	var out []string
	if max(want.LocalAS, want.ClusterAS) > 65535 && !have.extended {
		out = append(out, "bgp extended-asn-cap")
	}
	if len(inside) > 0 {
		out = append(out, fmt.Sprintf("router bgp %d", want.LocalAS))
		for _, l := range inside {
			out = append(out, " "+l)
		}
	}
	return out, nil
}

// conflicts are things of others in the way.
func conflicts(have running, want Peering) error {
	if have.as != 0 && have.as != uint64(want.LocalAS) {
		return fmt.Errorf("BIG-IP %s runs BGP as AS %d, the inventory says %d", want.BigIP, have.as, want.LocalAS)
	}
	var errs []error
	for _, n := range want.named() { // others are left with what they have
		a := n.Address.String()
		if !have.known[a] || have.groupOf[a] == want.Group() {
			continue
		}
		whose := "on its own"
		if g := have.groupOf[a]; g != "" {
			whose = "in peer-group " + g
		}
		errs = append(errs, fmt.Errorf("BIG-IP %s already has neighbor %s (%s) %s; remove it there, or the host from the inventory", want.BigIP, a, n.Name, whose))
	}
	return errors.Join(errs...)
}

// process adds what a BGP process lacks; what is there, with whatever value, is
// somebody's decision.
func process(have running, want Peering) []string {
	var out []string
	if _, ok := have.values("bgp", "graceful-restart"); !ok {
		out = append(out, fmt.Sprintf("bgp graceful-restart restart-time %d", restartTime))
	}
	kind := "ibgp"
	if want.LocalAS != want.ClusterAS {
		kind = "ebgp"
	}
	if _, ok := have.values("max-paths", kind); !ok {
		out = append(out, fmt.Sprintf("max-paths %s %d", kind, maxPaths))
	}
	return out
}

// group brings the peer-group's settings to what they must be. The timers are
// the group's own: "timers bgp" would change every other session as well.
func group(have running, want Peering) []string {
	g := want.Group()
	var out []string
	if rest, ok := have.values("neighbor", g, "peer-group"); !ok || len(rest) > 0 {
		out = append(out, fmt.Sprintf("neighbor %s peer-group", g))
	}
	for _, s := range [][]string{
		{"remote-as", strconv.FormatUint(uint64(want.ClusterAS), 10)},
		{"maximum-prefix", strconv.Itoa(want.MaxPrefix())},
		{"timers", strconv.Itoa(keepalive), strconv.Itoa(hold)},
	} {
		rest, ok := have.values("neighbor", g, s[0])
		if n := len(s) - 1; ok && len(rest) >= n && slices.Equal(rest[:n], s[1:]) { // a threshold may follow
			continue
		}
		out = append(out, fmt.Sprintf("neighbor %s %s", g, strings.Join(s, " ")))
	}
	return append(out, password(have, want)...)
}

func password(have running, want Peering) []string {
	key := []string{"neighbor", want.Group(), "password"}
	rest, ok := have.values(key...)
	switch {
	case ok && !want.Password.IsSet():
		return []string{"no " + strings.Join(key, " ")}
	case !want.Password.IsSet():
		return nil
	case ok && (have.encrypted || len(rest) != 1): // nothing to compare with: the sessions tell
		return nil
	case ok && rest[0] == want.Password.Reveal():
		return nil
	case !want.Reveal:
		return []string{"! " + strings.Join(key, " ") + " (not shown: enter the BGP password of the inventory here)"}
	}
	return []string{strings.Join(append(key, want.Password.Reveal()), " ")}
}

// members adds and removes neighbors. Taking one out of the group removes it,
// as it has its AS number from there, and can meet nobody else's neighbor.
func members(have running, want Peering) []string {
	wanted := map[string]bool{}
	var add, remove []string
	for _, n := range want.sorted() {
		a := n.Address.String()
		wanted[a] = true
		if have.groupOf[a] != want.Group() && !(n.Kept && have.known[a]) {
			add = append(add, fmt.Sprintf("neighbor %s peer-group %s", a, want.Group()))
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(have.groupOf), compareAddrs) {
		if have.groupOf[a] == want.Group() && !wanted[a] && !want.Keep {
			remove = append(remove, fmt.Sprintf("no neighbor %s peer-group %s", a, want.Group()))
		}
	}
	return append(add, remove...)
}

// compareAddrs orders texts that are known to be addresses.
func compareAddrs(a, b string) int {
	x, _ := netip.ParseAddr(a)
	y, _ := netip.ParseAddr(b)
	return x.Compare(y)
}
