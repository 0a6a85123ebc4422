package identity

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
)

// known are the members of the settled cluster, as it knows them.
func known() []cluster.Member {
	ip := netip.MustParseAddr
	return []cluster.Member{
		{Name: "m1", Address: ip("10.90.0.11"), Master: true, Etcd: true},
		{Name: "n1", Address: ip("10.90.0.21")},
		{Name: "n2", Address: ip("10.90.0.22")},
	}
}

const moved = `c.hcl:12:28: error: the machine at 10.90.0.99 is not the n1 that the cluster knows, which is at 10.90.0.21
  12 | kube_node "n1" { address = "10.90.0.99" }
     |                            ^^^^^^^^^^^^
  It belongs to no cluster, and a member's name does not make it one.
  fix: set its address back to 10.90.0.21; to put another machine in its place, use ` + "`drover node replace n1`" + `
`

func TestAMachineDoesNotBecomeAMemberByItsName(t *testing.T) {
	bare := facts.Snapshot{}
	for name, test := range map[string]struct {
		inventory []string
		change    func(map[string]facts.Snapshot)
		want      string
	}{
		"nothing": {},
		"another machine of a node's name": {inventory: []string{"10.90.0.21", "10.90.0.99"},
			change: func(s map[string]facts.Snapshot) { s["n1"] = bare }, want: moved},
		"another address that is not reached": {inventory: []string{"10.90.0.21", "10.90.0.99"},
			change: func(s map[string]facts.Snapshot) { delete(s, "n1") },
			want: `c.hcl:12:28: error: the cluster knows n1 at 10.90.0.21, and the inventory has it at 10.90.0.99
  12 | kube_node "n1" { address = "10.90.0.99" }
     |                            ^^^^^^^^^^^^
  The machine there could not be reached, so it is not known whether it is the same.
  fix: set its address back to 10.90.0.21; to put another machine in its place, use ` + "`drover node replace n1`" + `
`},
		"a node that moved, and is a member": {inventory: []string{"10.90.0.21", "10.90.0.99"}},
		"a master that moved": {inventory: []string{"10.90.0.11", "10.90.0.99"},
			want: `c.hcl:11:30: error: etcd knows m1 at 10.90.0.11, and the inventory has it at 10.90.0.99
  11 | kube_master "m1" { address = "10.90.0.99" }
     |                              ^^^^^^^^^^^^
  drover has no verb that moves a master to another address: etcd's members find each other by it.
  fix: set its address back to 10.90.0.11; to put another machine in its place, use ` + "`drover node replace m1`" + `
`},
		"a master that was made anew": {change: func(s map[string]facts.Snapshot) { s["m1"] = bare },
			want: `c.hcl:11:30: error: m1 belongs to no cluster, but etcd has a member of that name
  11 | kube_master "m1" { address = "10.90.0.11" }
     |                              ^^^^^^^^^^^^
  It is another machine, or lost its disk. Begun anew under that name, it would lack what the member has confirmed.
  fix: to let it take the member's place, use ` + "`drover node replace m1`" + `; if it is not the machine you mean, correct its address
`},
		"a master of a bootstrap that was killed": {change: func(s map[string]facts.Snapshot) {
			s["m1"] = facts.Snapshot{Dirs: map[string]facts.File{manifests.EtcdDataDir + "/member/wal": {}}}
		}},
		"a master that is away":                 {change: func(s map[string]facts.Snapshot) { delete(s, "m1") }},
		"a node whose join was killed":          {change: func(s map[string]facts.Snapshot) { s["n1"] = bare }},
		"a host that the cluster does not know": {inventory: []string{`"n2"`, `"n3"`}, change: func(s map[string]facts.Snapshot) { s["n3"] = bare }},
		"a node that never told where it is":    {change: func(s map[string]facts.Snapshot) { s["n2"] = bare }},
		"two of them": {inventory: []string{"10.90.0.21", "10.90.0.99", "10.90.0.22", "10.90.0.98"},
			change: func(s map[string]facts.Snapshot) { s["n1"], s["n2"] = bare, bare },
			want: moved + `
c.hcl:13:28: error: the machine at 10.90.0.98 is not the n2 that the cluster knows, which is at 10.90.0.22
  13 | kube_node "n2" { address = "10.90.0.98" }
     |                            ^^^^^^^^^^^^
  It belongs to no cluster, and a member's name does not make it one.
  fix: set its address back to 10.90.0.22; to put another machine in its place, use ` + "`drover node replace n2`" + `
`},
	} {
		t.Run(name, func(t *testing.T) {
			seen := members(t, func(map[string]membership.Note) {})
			if test.change != nil {
				test.change(seen)
			}
			list := known()
			if name == "a node that never told where it is" {
				list[2].Address = netip.Addr{}
			}
			got := rendered(t, Replaced(load(t, test.inventory...), seen, list, func(string) bool { return false }))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnnamed(t *testing.T) {
	c := load(t, `kube_node "n2" { address = "10.90.0.22" }`, "")
	if got := Unnamed(c, known()); len(got) != 1 || got[0].Name != "n2" {
		t.Errorf("got %v", got)
	}
	if got := Unnamed(load(t), known()); len(got) != 0 {
		t.Errorf("got %v of a whole inventory", got)
	}
}
