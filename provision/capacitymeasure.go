package provision

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/capacity"
	"github.com/droverctl/drover/provision/internal/measure"
)

// fsyncWrites is how many writes a disk is measured by.
const fsyncWrites = 200

// measure measures the hosts that were surveyed: masters one after the other, so that
// none waits for what is measured on another of one hypervisor; all others at once. What
// could not be measured is told.
func (s *Session) measure(ctx context.Context, v Survey, live bool) (map[string]capacity.Measured, []string) {
	out := map[string]capacity.Measured{}
	var warnings []string
	var mu sync.Mutex
	one := func(h inventory.Host, f Facts, scope measure.Scope) {
		figures, err := measure.Take(ctx, s.conns[h.Name], scope)
		mu.Lock()
		defer mu.Unlock()
		m := capacity.Measured{ClockSeen: true, ClockOffset: f.Clock.Offset, ClockError: f.Clock.Error}
		if err != nil {
			warnings = append(warnings, err.Error())
			notMeasured(scope, err, &m)
		} else {
			warnings = append(warnings, s.figures(h, figures, &m)...)
		}
		out[h.Name] = m
	}
	var others sync.WaitGroup
	for _, f := range v.Facts {
		h := hostOf(s.Cluster, f.Host)
		if h.Role != inventory.RoleMaster {
			others.Go(func() { one(h, f, measure.Scope{}) })
		}
	}
	others.Wait()
	for _, f := range v.Facts {
		h := hostOf(s.Cluster, f.Host)
		if h.Role != inventory.RoleMaster || ctx.Err() != nil {
			continue
		}
		scope := measure.Scope{Writes: fsyncWrites, Live: live}
		for _, peer := range s.Cluster.KubeMasters {
			if peer.Name != h.Name {
				scope.Peers = append(scope.Peers, peer.Address)
			}
		}
		one(h, f, scope)
	}
	slices.Sort(warnings)
	return out, warnings
}

// notMeasured tells the checks that there was something to measure.
func notMeasured(scope measure.Scope, err error, m *capacity.Measured) {
	if scope.Writes > 0 {
		m.NoFsync = err.Error()
	}
	if len(scope.Peers) > 0 {
		m.NoRTT = err.Error()
	}
}

// figures are a host's figures as capacity judges them, and what there is none of.
func (s *Session) figures(h inventory.Host, f measure.Figures, m *capacity.Measured) (warnings []string) {
	m.Fsync, m.Writes, m.NoFsync = measure.Percentile(f.Writes, 99), len(f.Writes), f.Unwritten
	if f.Live {
		warnings = append(warnings, fmt.Sprintf("%s: an etcd runs there, so its disk was not measured: --allow-live does so, and every commit waits for it meanwhile", h.Name))
	}
	if f.NoPing {
		m.NoRTT = "it has no ping"
	}
	if m.StealSeen = f.Steal >= 0; m.StealSeen {
		m.Steal = f.Steal
	}
	names := map[netip.Addr]string{}
	for _, peer := range s.Cluster.KubeMasters {
		names[peer.Address] = peer.Name
	}
	for peer, all := range f.Pings {
		m.Sent, m.Lost = m.Sent+measure.Pings, m.Lost+max(0, measure.Pings-len(all))
		if len(all) == 0 {
			m.Silent = append(m.Silent, names[peer])
			continue
		}
		if far := measure.Percentile(all, 99); m.Peer == "" || far > m.RTT {
			m.RTT, m.Peer = far, names[peer]
		}
	}
	slices.Sort(m.Silent)
	return warnings
}
