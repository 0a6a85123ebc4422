package provision

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/plan"
)

func up() *BGPEnd { return &BGPEnd{State: "Established"} }

// Each kind of trouble makes exactly its own line, and nothing else does.
func TestJudge(t *testing.T) {
	well := func() Status {
		return Status{
			Cluster: "prod1", Standing: "existing",
			API: Health{OK: true}, Etcd: EtcdStatus{Health: Health{OK: true}},
			Hosts: []HostStatus{{
				Name: "n", Node: NodeStatus{Ready: true},
				Components:   []Component{{Name: "runc", Version: "1"}, {Name: "drover-haproxy", Unit: "drover-haproxy.service", State: "active"}},
				Certificates: []Expiry{{Name: "kube-proxy", DaysLeft: 30}},
			}},
			BGP: BGPStatus{BigIPs: []BigIPStatus{
				{Name: "f5-a", Manage: inventory.ManageSSH, Verified: true, Sessions: []BGPSession{{Host: "n", AtHost: up(), AtBigIP: up()}}},
				{Name: "f5-b", Manage: inventory.ManageManual, Sessions: []BGPSession{{Host: "n", AtHost: up()}}},
			}},
		}
	}
	for name, c := range map[string]struct {
		change func(*Status)
		want   []string
	}{
		"well": {func(*Status) {}, nil},
		"new": {func(s *Status) { s.Standing, s.API.OK = "new", false },
			[]string{"there is no cluster \"prod1\" yet: `drover apply` makes it"}},
		"a host away": {func(s *Status) {
			s.Hosts[0] = HostStatus{Name: "n", Away: "timeout", Node: NodeStatus{Ready: true}}
			s.BGP.BigIPs[0].Sessions[0] = BGPSession{Host: "n", Why: hostAway}
		}, []string{"n: it is away: timeout"}},
		"a unit failed":    {func(s *Status) { s.Hosts[0].Components[1].State = "failed" }, []string{"n: drover-haproxy.service is failed"}},
		"a binary missing": {func(s *Status) { s.Hosts[0].Components[0].Version = "" }, []string{"n: runc is absent"}},
		"a certificate near its end": {func(s *Status) { s.Hosts[0].Certificates[0].DaysLeft = 29 },
			[]string{"n: the certificate kube-proxy ends in 29 days: `drover apply` renews it"}},
		"a certificate missing": {func(s *Status) { s.Hosts[0].Certificates[0].Why = "absent" }, []string{"n: the certificate kube-proxy is absent"}},
		"an authority":          {func(s *Status) { s.Authorities = []Expiry{{Name: "ca", Why: "the CA ends"}} }, []string{"the CA ends"}},
		"a node":                {func(s *Status) { s.Hosts[0].Node = NodeStatus{Why: "is not Ready: x"} }, []string{"n: the node is not Ready: x"}},
		"no API, so no word of nodes": {func(s *Status) {
			s.API, s.Hosts[0].Node = Health{Text: "refused"}, NodeStatus{Why: "not known"}
		}, []string{"API: refused"}},
		"etcd":       {func(s *Status) { s.Etcd.Health = Health{Text: "etcd: 1 of 3"} }, []string{"etcd: 1 of 3"}},
		"a stranger": {func(s *Status) { s.Strangers = []string{"old"} }, []string{"old: it is a node of the cluster, but not in the inventory"}},
		"a difference": {func(s *Status) {
			s.Inventory = Differences{Things: 9, Pending: []Pending{{plan.ID("n/x:y"), plan.Update, "z"}}}
		},
			[]string{"inventory: 1 of 9 things differ from it, and 0 cannot be seen: `drover plan` shows them"}},
		"differences unknown": {func(s *Status) { s.Inventory.Why = "refused" }, []string{"inventory: what differs from it is not known: refused"}},
		"a BIG-IP that cannot be read": {func(s *Status) {
			s.BGP.BigIPs[0].Verified, s.BGP.BigIPs[0].Why = false, "timeout"
		}, []string{"f5-a: it could not be read: timeout"}},
		"a session down at the host": {func(s *Status) { s.BGP.BigIPs[1].Sessions[0].AtHost = &BGPEnd{State: "Active", Reason: "refused"} },
			[]string{"n: its session with f5-b is Active, refused"}},
		"BIRD does not answer": {func(s *Status) { s.BGP.BigIPs[1].Sessions[0] = BGPSession{Host: "n", Why: "no BIRD"} },
			[]string{"n: its session with f5-b is not known: no BIRD"}},
		"a finding": {func(s *Status) { s.BGP.BigIPs[0].Findings = []BGPFinding{{"no-route", "n", "no route"}} }, []string{"n: f5-a: no route"}},
		"a session of the mesh": {func(s *Status) { s.BGP.Mesh = []MeshStatus{{Host: "n", Want: 2, Up: 1, Down: []string{"m: Idle"}}} },
			[]string{"n: sessions with other hosts are down: m: Idle"}},
	} {
		s := well()
		c.change(&s)
		if d := cmp.Diff(c.want, s.judge()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
