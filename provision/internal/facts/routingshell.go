package facts

import (
	"context"
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// What RoutingShell asks a BIG-IP, and the names its answers have in
// Snapshot.Texts.
const (
	RunningConfig = "show running-config"
	Neighbors     = "show ip bgp neighbors"
	Routes        = "show ip route bgp"
)

// RoutingShell looks at a BIG-IP through imish: its configuration, its BGP
// sessions and the routes it learned. One round trip each; a BIG-IP's shell is
// no place for scripts.
func RoutingShell(ctx context.Context, h host.Reader) (Snapshot, error) {
	s := Snapshot{Host: h.Name(), Texts: map[string]string{}}
	for _, show := range []string{RunningConfig, Neighbors, Routes} {
		res, err := h.Probe(ctx, host.Cmd{Argv: []string{"imish", "-r", "0", "-e", show}})
		if err != nil {
			return s, err
		}
		if res.Exit != 0 {
			return s, fmt.Errorf("%s: imish %q: exit code %d: %s", h.Name(), show, res.Exit, strings.TrimSpace(string(res.Stderr)+string(res.Stdout)))
		}
		s.Texts[show] = string(res.Stdout)
	}
	return s, nil
}
