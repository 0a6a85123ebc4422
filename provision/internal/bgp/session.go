package bgp

import (
	"fmt"
	"net/netip"
	"strings"
)

// Session is one BGP session as one of its ends tells it. What an end does not
// tell is zero.
type Session struct {
	Peer     netip.Addr
	AS       uint32 // the peer's
	State    State
	Uptime   string // as printed: since when, or for how long
	Prefixes int    // received and accepted
	Name     string // BIRD's protocol on a node; the peer-group on a BIG-IP
	Reason   string // why it is not established, if told
}

// State is a state of BGP's machine, in RFC 4271's words.
type State string

// Established is the only state in which routes are exchanged.
const Established State = "Established"

// Up reports whether the session is established.
func (s Session) Up() bool { return s.State == Established }

// Route is a prefix with the next hops that packets to it are given.
type Route struct {
	Prefix   netip.Prefix
	NextHops []netip.Addr
}

// refusal is what imish answered instead of a table.
func refusal(text string) error {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "%") {
			return fmt.Errorf("the BIG-IP answers: %s", line)
		}
	}
	return nil
}

// firstLine shows what was there instead of what was expected.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if len(line) > 100 {
		line = line[:100] + "…"
	}
	return line
}
