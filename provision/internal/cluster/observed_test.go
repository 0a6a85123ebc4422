package cluster

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/internal/etcd"
	"github.com/droverctl/drover/provision/internal/kube"
)

func TestMembersAreWhoEtcdOrTheAPIKnows(t *testing.T) {
	ip := netip.MustParseAddr
	got := Merge(
		ofEtcd([]etcd.Member{
			{Name: "m2", PeerURLs: []string{"https://10.90.0.12:2380"}},
			{Name: "m1", PeerURLs: []string{"https://10.90.0.11:2380"}},
			{ID: 7, PeerURLs: []string{"https://10.90.0.13:2380"}, Learner: true}, // never started
			{Name: "named", PeerURLs: []string{"https://m.example.net:2380"}},
		}),
		ofNodes([]kube.NodeState{
			{Name: "m1", Address: ip("10.90.9.11"), Master: true}, {Name: "named", Address: ip("10.90.0.14")},
			{Name: "n1", Address: ip("10.90.0.21")}, {Name: "never-joined"}, {Name: "m0", Address: ip("10.90.0.10"), Master: true},
		}),
	)
	want := []Member{
		{Name: "m0", Address: ip("10.90.0.10"), Master: true},
		{Name: "m1", Address: ip("10.90.0.11"), Master: true, Etcd: true}, // as etcd reaches it
		{Name: "m2", Address: ip("10.90.0.12"), Master: true, Etcd: true},
		{Name: "n1", Address: ip("10.90.0.21")},
		{Name: "named", Address: ip("10.90.0.14"), Master: true, Etcd: true},
		{Name: "never-joined"},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
