package bgp

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var (
	neighborLine = regexp.MustCompile(`^BGP neighbor is ([0-9a-fA-F.:]+), +remote AS (\d+)`)
	groupLine    = regexp.MustCompile(`^\s*Member of peer-group (\S+) for session parameters`)
	stateLine    = regexp.MustCompile(`^\s*BGP state = (\w+)(?:, up for (\S+))?`)
	acceptedLine = regexp.MustCompile(`^\s*(\d+) accepted prefixes`)
	resetLine    = regexp.MustCompile(`^\s*Last [Rr]eset:?.*, due to (.+)`)
	familyLine   = regexp.MustCompile(`^\s*For address family: (.+)`)
)

// ParseNeighbors reads "show ip bgp neighbors", which tells more than the
// summary: the peer-group and why a session went down.
func ParseNeighbors(text string) ([]Session, error) {
	if err := refusal(text); err != nil {
		return nil, err
	}
	var out []Session
	ipv4 := true
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := neighborLine.FindStringSubmatch(line); m != nil {
			peer, err1 := netip.ParseAddr(m[1])
			as, err2 := strconv.ParseUint(m[2], 10, 32)
			if err1 != nil || err2 != nil {
				return nil, fmt.Errorf("not a line of \"show ip bgp neighbors\": %q", line)
			}
			out = append(out, Session{Peer: peer, AS: uint32(as)})
			ipv4 = true
			continue
		}
		if len(out) == 0 {
			if strings.TrimSpace(line) != "" {
				return nil, fmt.Errorf("not what \"show ip bgp neighbors\" prints: %q", firstLine(text))
			}
			continue
		}
		s := &out[len(out)-1]
		if m := familyLine.FindStringSubmatch(line); m != nil {
			ipv4 = m[1] == "IPv4 Unicast"
		}
		s.detail(line, ipv4)
	}
	for _, s := range out {
		if s.State == "" {
			return nil, fmt.Errorf("\"show ip bgp neighbors\" does not tell the state of %s", s.Peer)
		}
	}
	return out, nil
}

func (s *Session) detail(line string, ipv4 bool) {
	if m := groupLine.FindStringSubmatch(line); m != nil {
		s.Name = m[1]
	}
	if m := stateLine.FindStringSubmatch(line); m != nil {
		s.State, s.Uptime = State(m[1]), m[2]
	}
	if m := acceptedLine.FindStringSubmatch(line); m != nil && ipv4 {
		s.Prefixes, _ = strconv.Atoi(m[1])
	}
	if m := resetLine.FindStringSubmatch(line); m != nil && !s.Up() {
		s.Reason = strings.TrimSpace(m[1])
	}
	if strings.TrimSpace(line) == "Administratively shut down" {
		s.Reason = "administratively shut down"
	}
}
