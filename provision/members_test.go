package provision

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/facts"
)

// A master whose fragment is missing stays on the hosts' lists even while the
// cluster cannot be asked; once it can, the cluster's word counts.
func TestKeep(t *testing.T) {
	ip := netip.MustParseAddr
	c := &inventory.Cluster{
		KubeMasters: []inventory.Host{{Name: "m1", Address: ip("10.90.0.11")}},
		KubeNodes:   []inventory.Host{{Name: "n1", Address: ip("10.90.0.21")}},
	}
	files, err := manifests.LoadBalancer{Masters: []manifests.Backend{
		{Name: "m1", Address: ip("10.90.0.11")}, {Name: "m2", Address: ip("10.90.0.12")},
	}}.Files()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, f := range files {
		texts[f.Path] = string(f.Content)
	}
	seen := map[string]facts.Snapshot{"n1": {Texts: texts}}
	m3 := cluster.Member{Name: "m3", Address: ip("10.90.0.13"), Master: true, Etcd: true}
	known := []cluster.Member{{Name: "m1", Address: ip("10.90.0.11"), Master: true}, m3}
	for _, test := range []struct {
		unknown bool
		want    desired.Kept
	}{
		{false, desired.Kept{Members: []cluster.Member{m3}}},
		{true, desired.Kept{Unknown: true, Members: []cluster.Member{{Name: "m2", Address: ip("10.90.0.12"), Master: true}, m3}}},
	} {
		got := keep(c, known, seen, test.unknown)
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	}
	if got, want := unnamed(m3), "m3 is a member but the inventory does not name it: kept; `drover node remove m3` removes it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
