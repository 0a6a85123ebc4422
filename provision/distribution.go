package provision

import (
	"net/netip"

	"github.com/droverctl/drover/provision/internal/fanout"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

// peers is how the plan's releases spread among hosts, nil when each comes from the
// origin.
func (s *Session) peers(p plan.Plan, byID map[plan.ID]resource.Resource, sink report.Sink) *fanout.Peers {
	if !s.Cluster.Artifacts.FanOut {
		return nil
	}
	wanted := map[string]int{}
	for _, c := range p.Pending() {
		if a, ok := byID[c.ID].(resource.Artifact); ok {
			wanted[a.Sum()]++
		}
	}
	addresses := map[string]netip.Addr{}
	for _, h := range s.Cluster.Hosts() {
		addresses[h.Name] = h.Address
	}
	return fanout.New(fanout.Config{
		Dir: resource.OptDir + "/.fan-out", Port: uint16(s.Cluster.Artifacts.FanOutPort), Addresses: addresses, Wanted: wanted,
		Warn: func(name, text string) {
			sink.Event(report.Event{Time: s.options.Now(), Kind: report.Warning, Host: name, Text: text})
		},
	})
}
