package bgp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/provision/internal/bgp"
)

func TestRemoval(t *testing.T) {
	const others = `router bgp 64512
 bgp router-id 10.90.0.5
 neighbor one peer-group
 neighbor one remote-as 64512
 neighbor two peer-group
 neighbor 10.90.0.21 peer-group one
 neighbor 10.90.0.9 peer-group two
 neighbor 10.90.0.11 peer-group one
 neighbor 192.0.2.1 remote-as 65000
!
`
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing there":     {"", nil},
		"others alone":      {"router bgp 64512\n neighbor two peer-group\n neighbor 10.90.0.9 peer-group two\n!\n", nil},
		"the group is left": {"router bgp 64512\n neighbor one peer-group\n!\n", []string{"router bgp 64512", " no neighbor one peer-group"}},
		"among others": {others, []string{
			"router bgp 64512", " no neighbor 10.90.0.11 peer-group one", " no neighbor 10.90.0.21 peer-group one", " no neighbor one peer-group",
		}},
	} {
		// The inventory's own AS does not matter: what is there is what goes.
		if d := cmp.Diff(c.want, bgp.Removal(c.text, bgp.Peering{Cluster: "one", LocalAS: 1})); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
