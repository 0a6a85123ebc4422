package bgp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ParseSummary reads "show ip bgp summary".
//
// Columns are told by their order: they shift with long numbers, and a long
// address has a line of its own. Up/Down is empty for a session that was never up.
func ParseSummary(text string) ([]Session, error) {
	if err := refusal(text); err != nil {
		return nil, err
	}
	if !strings.Contains(text, "BGP router identifier") {
		return nil, fmt.Errorf("not what \"show ip bgp summary\" prints: %q", firstLine(text))
	}
	var rows [][]string
	table := false
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			table = table && len(rows) == 0
		case words[0] == "Neighbor":
			table = true
		case !table:
		case isAddr(words[0]):
			rows = append(rows, words)
		case len(rows) > 0 && line[0] == ' ':
			rows[len(rows)-1] = append(rows[len(rows)-1], words...)
		default:
			table = false
		}
	}
	out := make([]Session, 0, len(rows))
	for _, words := range rows {
		s, err := summaryRow(words)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// summaryRow reads peer, version, AS, received, sent, table version, queues in
// and out, then time and state.
func summaryRow(words []string) (Session, error) {
	bad := func() (Session, error) {
		return Session{}, fmt.Errorf("not a row of \"show ip bgp summary\": %q", strings.Join(words, " "))
	}
	if len(words) < 9 || len(words) > 11 {
		return bad()
	}
	peer, err1 := netip.ParseAddr(words[0])
	as, err2 := strconv.ParseUint(words[2], 10, 32)
	if err1 != nil || err2 != nil {
		return bad()
	}
	s := Session{Peer: peer, AS: uint32(as)}
	rest := words[8:]
	if isTime(rest[0]) {
		s.Uptime, rest = rest[0], rest[1:]
	}
	if len(rest) == 0 {
		return bad()
	}
	if n, err := strconv.Atoi(rest[0]); err == nil && n >= 0 && len(rest) == 1 && s.Uptime != "" {
		s.State, s.Prefixes = Established, n
		return s, nil
	}
	state, reason, _ := strings.Cut(strings.Join(rest, " "), "(") // Idle (Admin)
	s.State, s.Reason = State(strings.TrimSpace(state)), strings.TrimSuffix(reason, ")")
	if !isState(s.State) {
		return bad()
	}
	return s, nil
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isTime is true for 00:00:01, 1d02h03m, 02w1d03h and never, and for no state.
func isTime(s string) bool {
	return s == "never" || s[0] >= '0' && s[0] <= '9' && strings.ContainsAny(s, ":dhmw")
}

func isState(s State) bool {
	switch s {
	case "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", Established:
		return true
	}
	return false
}
