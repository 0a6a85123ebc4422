package provision

import (
	"errors"
	"strings"
	"testing"

	"github.com/droverctl/drover/inventory"
)

// A master whose cluster could not be asked may be one of the quorum; with all of them
// nothing is left that could lose it.
func TestResetOfAMasterOfWhichEtcdIsNotKnown(t *testing.T) {
	lost := errors.New("kube-master-1: the cluster's keys cannot be read")
	master := ResetHost{Name: "kube-master-1", Role: inventory.RoleMaster, Traces: map[string]int{"file": 3}}
	node := ResetHost{Name: "kube-node-1", Role: inventory.RoleNode, Traces: map[string]int{"file": 3}}
	bare := ResetHost{Name: "kube-master-1", Role: inventory.RoleMaster}
	for name, c := range map[string]struct {
		reset   Reset
		refused bool
	}{
		"a master":         {Reset{Hosts: []ResetHost{master}, etcdUnknown: lost}, true},
		"and a node":       {Reset{Hosts: []ResetHost{node, master}, etcdUnknown: lost}, true},
		"a node alone":     {Reset{Hosts: []ResetHost{node}, etcdUnknown: lost}, false},
		"nothing on it":    {Reset{Hosts: []ResetHost{bare}, etcdUnknown: lost}, false},
		"all of them":      {Reset{Hosts: []ResetHost{node, master}, etcdUnknown: lost, Whole: true}, false},
		"before a cluster": {Reset{Hosts: []ResetHost{master}}, false},
	} {
		err := c.reset.Refusal(t.Context(), true)
		if (err != nil) != c.refused || c.refused && (!errors.Is(err, lost) || !strings.Contains(err.Error(), "kube-master-1")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
