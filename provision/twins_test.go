package provision

import (
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/preflight"
)

// Who is copied from a host that the run does not look at is known by what the cluster
// knows of that one.
func TestOthersAreKnownByTheCluster(t *testing.T) {
	s := begin(&inventory.Cluster{KubeNodes: []inventory.Host{{Name: "n1"}, {Name: "n2"}, {Name: "n3"}}}, Options{})
	s.seen = map[string]facts.Snapshot{"n2": {Hostname: "n2", MachineID: "b"}, "n3": {MachineID: "c"}}
	s.members = []cluster.Member{{Name: "n1", Machine: "a"}, {Name: "n2", Machine: "of before"}, {Name: "n3", Machine: "c"}}
	got := s.others(map[string]Facts{"n3": {}})
	want := map[string]preflight.Identity{"n1": {MachineID: "a"}, "n2": {Hostname: "n2", MachineID: "b"}}
	if len(got) != len(want) || got["n1"] != want["n1"] || got["n2"] != want["n2"] {
		t.Errorf("%v", got)
	}
}
