package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Calico names BIRD's protocols after the peer (confd's bird.cfg.template):
// Mesh_10_90_0_21, Global_10_90_0_5, Node_10_90_0_5, with _port_1179 on odd ports.
var (
	birdName   = regexp.MustCompile(`^(?:Mesh|Global|Node)_(\d+_\d+_\d+_\d+)(?:_port_\d+)?$`)
	birdHeader = []string{"name", "proto", "table", "state", "since", "info"}
	birdCode   = regexp.MustCompile(`^\d{4}[- ]`)
	birdRoutes = regexp.MustCompile(`^Routes:\s+(\d+) imported`)
)

// ParseBIRD reads "show protocols" and "show protocols all" of a node's BIRD,
// as birdcl prints it or as it comes over the socket. Protocols that are no BGP
// session of Calico's are left out.
func ParseBIRD(text string) ([]Session, error) {
	var out []Session
	header, row := false, false // row: the lines below are of the last session
	for line := range strings.Lines(text) {
		line = birdCode.ReplaceAllString(line, "")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case strings.Join(words, " ") == strings.Join(birdHeader, " "):
			header = true
		case !header:
		case len(words) > 3 && (words[3] == "up" || words[3] == "down" || words[3] == "start"):
			s, ok, err := birdRow(words)
			if err != nil {
				return nil, err
			}
			if row = ok; ok {
				out = append(out, s)
			}
		case row:
			out[len(out)-1].birdDetail(strings.TrimSpace(line))
		}
	}
	if !header {
		if strings.TrimSpace(text) == "" {
			return nil, errors.New("BIRD printed nothing")
		}
		return nil, fmt.Errorf("not what BIRD's \"show protocols\" prints: %q", firstLine(text))
	}
	return out, nil
}

func birdRow(words []string) (Session, bool, error) {
	m := birdName.FindStringSubmatch(words[0])
	if m == nil || words[1] != "BGP" {
		return Session{}, false, nil
	}
	peer, err := netip.ParseAddr(strings.ReplaceAll(m[1], "_", "."))
	if err != nil {
		return Session{}, false, fmt.Errorf("BIRD's protocol %q is named after no address", words[0])
	}
	// Without a word on BGP the protocol was not started, or was stopped.
	s := Session{Peer: peer, Name: words[0], State: "Idle", Reason: words[3]}
	if len(words) > 4 {
		s.Uptime = words[4]
	}
	if len(words) > 5 {
		s.State, s.Reason = State(words[5]), strings.Join(words[6:], " ")
	}
	return s, true, nil
}

func (s *Session) birdDetail(line string) {
	if rest, ok := strings.CutPrefix(line, "Neighbor AS:"); ok {
		if as, err := strconv.ParseUint(strings.TrimSpace(rest), 10, 32); err == nil {
			s.AS = uint32(as)
		}
	}
	if m := birdRoutes.FindStringSubmatch(line); m != nil {
		s.Prefixes, _ = strconv.Atoi(m[1])
	}
}
