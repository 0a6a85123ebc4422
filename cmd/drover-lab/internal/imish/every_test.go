package imish

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestEveryLine gives every kind of line the table knows to a real FRR: it is
// taken, shown back word for word, and gone after its "no".
func TestEveryLine(t *testing.T) {
	l := newLab(t, birdConfig(64512))
	data, err := os.ReadFile("../zebos/testdata/every.zebos")
	if err != nil {
		t.Fatal(err)
	}
	l.configure("router bgp 64512\nneighbor ext peer-group\nneighbor ext remote-as 65001\nneighbor int peer-group\nneighbor int remote-as 64512\n" +
		"neighbor 10.1.20.21 peer-group int\nneighbor 10.1.20.22 remote-as 65001\nroute-map RM permit 10\n")
	header := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "router bgp") || strings.HasPrefix(line, "route-map") {
			header = line + "\n"
			continue
		}
		l.shown(header, line, true)
		opposite := "no " + strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(opposite, "no no "); ok {
			opposite = rest
		}
		l.configure(header + opposite + "\n")
		l.shown("", line, false)
	}
}

// shown applies the line unless header is empty and want is false, and looks for it.
func (l *lab) shown(header, line string, want bool) {
	l.t.Helper()
	if want {
		l.configure(header + line + "\n")
	}
	running := l.show("show running-config")
	if got := slices.Contains(strings.Split(running, "\n"), line); got != want {
		l.t.Errorf("%q shown: %v, want %v, in\n%s", line, got, want, running)
	}
}
