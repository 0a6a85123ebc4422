package provision

import (
	"net/netip"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/membership"
)

// What is at the address where the cluster knows a node is reset only when it is that
// node: others may have the address by now.
func TestOnlyTheFormerMachineIsReset(t *testing.T) {
	h := inventory.Host{Name: "n2", Address: netip.MustParseAddr("10.90.0.99")}
	s := begin(&inventory.Cluster{Name: "c"}, Options{})
	s.uid = "u"
	s.seen = map[string]facts.Snapshot{"n2": {MachineID: "new"}}
	node := kube.NodeState{Name: "n2", Machine: "old", Address: netip.MustParseAddr("10.90.0.22")}
	note := func(text string) map[string]string { return map[string]string{membership.Path: text} }
	for name, test := range map[string]struct {
		snap facts.Snapshot
		is   bool
	}{
		"it":                                 {facts.Snapshot{MachineID: "old", Texts: note("cluster=c\nuid=u\nhost=n2\n")}, true},
		"it, half reset":                     {facts.Snapshot{MachineID: "old"}, true},
		"a machine of no cluster":            {facts.Snapshot{MachineID: "other"}, false},
		"one that does not say which it is":  {facts.Snapshot{}, false},
		"another host of the cluster":        {facts.Snapshot{MachineID: "old", Texts: note("cluster=c\nuid=u\nhost=n3\n")}, false},
		"a host of another cluster":          {facts.Snapshot{MachineID: "old", Texts: note("cluster=d\nuid=v\nhost=n2\n")}, false},
		"the one that takes its place":       {facts.Snapshot{MachineID: "new"}, false},
		"a cluster of that name, made again": {facts.Snapshot{MachineID: "old", Texts: note("cluster=c\nuid=v\nhost=n2\n")}, false},
	} {
		if err := s.another(h, node, test.snap); (err == nil) != test.is {
			t.Errorf("%s: %v", name, err)
		}
	}
}
