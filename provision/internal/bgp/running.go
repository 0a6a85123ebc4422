package bgp

import (
	"net/netip"
	"strconv"
	"strings"
)

// running is what matters of a BIG-IP's "show running-config".
type running struct {
	as        uint64 // of the BGP process; 0: there is none
	extended  bool   // bgp extended-asn-cap
	encrypted bool   // passwords are not shown as they are
	block     [][]string
	groupOf   map[string]string // neighbor's address -> its peer-group
	known     map[string]bool   // names and addresses that have any line
}

// parseRunning is lenient about indentation, which some ways of copying a
// configuration lose: the block ends with a "!" in the first column or with a
// line that can only be of the top level.
func parseRunning(text string) running {
	r := running{groupOf: map[string]string{}, known: map[string]bool{}}
	in, family := false, false
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "!":
			// Inside the block, before an address family, it is indented.
			in = in && line[0] == ' '
		case len(words) > 2 && words[0] == "router" && words[1] == "bgp":
			in, family = r.as == 0, false // a second process could only be another view
			if in {
				r.as, _ = strconv.ParseUint(words[2], 10, 32)
			}
		case topLevel(words):
			in = false
			r.global(words)
		case !in:
		case words[0] == "address-family":
			family = true // what is in there repeats neighbors of the block
		case words[0] == "exit-address-family":
			family = false
		case !family:
			r.add(words)
		}
	}
	return r
}

func topLevel(words []string) bool {
	switch words[0] {
	case "router", "route-map", "access-list", "ip", "ipv6", "interface", "line", "end", "log", "service", "hostname":
		return true
	case "no":
		return len(words) > 1 && topLevel(words[1:])
	}
	return len(words) == 2 && words[0] == "bgp" && words[1] == "extended-asn-cap"
}

func (r *running) global(words []string) {
	switch strings.Join(words, " ") {
	case "bgp extended-asn-cap":
		r.extended = true
	case "service password-encryption":
		r.encrypted = true
	}
}

func (r *running) add(words []string) {
	r.block = append(r.block, words)
	if len(words) < 3 || words[0] != "neighbor" {
		return
	}
	r.known[words[1]] = true
	if _, err := netip.ParseAddr(words[1]); err == nil && len(words) == 4 && words[2] == "peer-group" {
		r.groupOf[words[1]] = words[3]
	}
}

// values are the words after the first line that begins with these; ok tells
// "none" from "there, without any".
func (r *running) values(key ...string) (rest []string, ok bool) {
	for _, words := range r.block {
		if len(words) >= len(key) && strings.Join(words[:len(key)], " ") == strings.Join(key, " ") {
			return words[len(key):], true
		}
	}
	return nil, false
}
