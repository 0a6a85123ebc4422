package bgp

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// A BIG-IP may say where a next hop itself is found, in parentheses: "(recursive
// via …)". That is not a next hop of the route.
var (
	viaHop      = regexp.MustCompile(`\bvia ([0-9.]+)`)
	parentheses = regexp.MustCompile(`\([^)]*\)`)
)

// ParseRoutes reads "show ip route bgp", or the routes by BGP of "show ip
// route". A route of several next hops, or one too long for its line, goes on
// in the lines below it.
func ParseRoutes(text string) ([]Route, error) {
	if err := refusal(text); err != nil {
		return nil, err
	}
	var out []Route
	var at *Route // what the next line may belong to
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0, isLegend(words):
			at = nil
			continue
		case line[0] != ' ' && line[0] != '\t':
			prefix, ok := rowPrefix(words)
			if !ok {
				return nil, fmt.Errorf("not a line of \"show ip route bgp\": %q", strings.TrimSpace(line))
			}
			at = &Route{} // a route by another protocol is read and dropped
			if strings.HasPrefix(words[0], "B") {
				out = append(out, Route{Prefix: prefix})
				at = &out[len(out)-1]
			}
		case at == nil: // the legend goes on
			continue
		}
		for _, m := range viaHop.FindAllStringSubmatch(parentheses.ReplaceAllString(line, ""), -1) {
			hop, err := netip.ParseAddr(m[1])
			if err != nil {
				return nil, fmt.Errorf("not a next hop in \"show ip route bgp\": %q", strings.TrimSpace(line))
			}
			at.NextHops = append(at.NextHops, hop)
		}
	}
	return out, nil
}

// isLegend is true for what stands around the routes.
func isLegend(words []string) bool {
	for _, s := range []string{"Codes:", "Gateway of last resort", "IP Route Table for"} {
		if strings.HasPrefix(strings.Join(words, " "), s) {
			return true
		}
	}
	return false
}

// rowPrefix finds the prefix after the codes: "B", "B*", "B   *>".
func rowPrefix(words []string) (netip.Prefix, bool) {
	for _, w := range words[:min(len(words), 4)] {
		if p, err := netip.ParsePrefix(w); err == nil {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
