package provision

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/capacity"
	"github.com/droverctl/drover/provision/internal/measure"
)

// What was to be measured and was not is told to the checks: nothing else makes a script
// see that there is no figure.
func TestWhatWasNotMeasured(t *testing.T) {
	masters := []inventory.Host{
		{Name: "m1", Address: netip.MustParseAddr("10.0.0.1")}, {Name: "m2", Address: netip.MustParseAddr("10.0.0.2")}, {Name: "m3", Address: netip.MustParseAddr("10.0.0.3")},
	}
	s := begin(&inventory.Cluster{KubeMasters: masters}, Options{})
	pings := make([]time.Duration, measure.Pings)
	for i := range pings {
		pings[i] = time.Millisecond
	}
	m2, m3 := masters[1].Address, masters[2].Address
	for _, test := range []struct {
		name    string
		figures measure.Figures
		want    capacity.Measured
		warned  int
	}{
		{"one peer is silent", measure.Figures{Steal: -1, Pings: map[netip.Addr][]time.Duration{m2: pings, m3: nil}},
			capacity.Measured{RTT: time.Millisecond, Peer: "m2", Sent: 2 * measure.Pings, Lost: measure.Pings, Silent: []string{"m3"}}, 0},
		{"all are", measure.Figures{Steal: -1, Pings: map[netip.Addr][]time.Duration{m2: nil, m3: nil}},
			capacity.Measured{Sent: 2 * measure.Pings, Lost: 2 * measure.Pings, Silent: []string{"m2", "m3"}}, 0},
		{"no ping, and no write", measure.Figures{Steal: -1, NoPing: true, Unwritten: "0 of 3"}, capacity.Measured{NoFsync: "0 of 3", NoRTT: "it has no ping"}, 0},
		{"an etcd is left alone, as is meant", measure.Figures{Steal: 2, Live: true}, capacity.Measured{StealSeen: true, Steal: 2}, 1},
	} {
		var got capacity.Measured
		warned := s.figures(masters[0], test.figures, &got)
		if d := cmp.Diff(test.want, got); d != "" || len(warned) != test.warned {
			t.Errorf("%s: %v, -want +got:\n%s", test.name, warned, d)
		}
	}
	for _, test := range []struct {
		scope measure.Scope
		want  capacity.Measured
	}{
		{measure.Scope{}, capacity.Measured{}},
		{measure.Scope{Writes: 3, Peers: []netip.Addr{m2}}, capacity.Measured{NoFsync: "timeout", NoRTT: "timeout"}},
		{measure.Scope{Writes: 3}, capacity.Measured{NoFsync: "timeout"}},
	} {
		var got capacity.Measured
		notMeasured(test.scope, errors.New("timeout"), &got)
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%+v: -want +got:\n%s", test.scope, d)
		}
	}
}
