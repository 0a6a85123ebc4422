package view_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
	"github.com/droverctl/drover/provision/plan"
)

var update = flag.Bool("update", false, "write what the tests got as what they want")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

// well is a cluster in which all is.
func well(masters, nodes int) provision.Status {
	ends := time.Date(2027, 11, 23, 0, 0, 0, 0, time.UTC)
	s := provision.Status{
		SchemaVersion: 1, Cluster: "prod1", Standing: "existing", Strangers: []string{}, Problems: []string{},
		API:         provision.Health{OK: true, Text: "ready"},
		Authorities: []provision.Expiry{{Name: "ca", NotAfter: ends, DaysLeft: 3649}, {Name: "etcd/ca", NotAfter: ends, DaysLeft: 3649}},
		Etcd: provision.EtcdStatus{
			Health: provision.Health{OK: true, Text: "healthy"},
			Quorum: fmt.Sprintf("%[1]d of %[1]d members answer; quorum is %d", masters, masters/2+1), Leader: "kube-master-2",
			Members: []provision.EtcdMember{},
		},
		Inventory: provision.Differences{Things: 328, Pending: []provision.Pending{}},
		BGP: provision.BGPStatus{SchemaVersion: 1, Cluster: "prod1", Mesh: []provision.MeshStatus{}, Others: []provision.OtherSession{}, BigIPs: []provision.BigIPStatus{
			{Name: "f5-a", Address: netip.MustParseAddr("10.90.0.5"), AS: 64512, Manage: inventory.ManageSSH, Verified: true, Findings: []provision.BGPFinding{}},
			{Name: "f5-b", Address: netip.MustParseAddr("10.90.0.6"), AS: 64600, Manage: inventory.ManageManual, Why: "it is managed by hand", Findings: []provision.BGPFinding{}},
		}},
	}
	add := func(name string, role inventory.Role, units ...string) {
		h := provision.HostStatus{
			Name: name, Role: role, Node: provision.NodeStatus{Ready: true},
			Certificates: []provision.Expiry{{Name: "kube-proxy", NotAfter: ends, DaysLeft: 364}},
			Components:   []provision.Component{{Name: "runc", Version: "1.3.6"}},
		}
		for _, u := range units {
			h.Components = append(h.Components, provision.Component{Name: u, Version: "1.37.2", Unit: u + ".service", State: "active"})
		}
		s.Hosts = append(s.Hosts, h)
		s.BGP.Mesh = append(s.BGP.Mesh, provision.MeshStatus{Host: name, Up: masters + nodes - 1, Want: masters + nodes - 1})
		for i := range s.BGP.BigIPs {
			session := provision.BGPSession{Host: name, AtHost: &provision.BGPEnd{State: "Established", Since: "17:14:32", Prefixes: 1}}
			if s.BGP.BigIPs[i].Verified {
				session.AtBigIP = &provision.BGPEnd{State: "Established", Since: "00:20:45", Prefixes: 2}
			}
			s.BGP.BigIPs[i].Sessions = append(s.BGP.BigIPs[i].Sessions, session)
		}
	}
	for i := range masters {
		add(fmt.Sprintf("kube-master-%d", i+1), inventory.RoleMaster, "containerd", "etcd", "kube-apiserver", "kubelet", "kube-proxy")
	}
	for i := range nodes {
		add(fmt.Sprintf("kube-node-%d", i+1), inventory.RoleNode, "containerd", "kubelet", "kube-proxy")
	}
	return s
}

// hurt is the same with one of each kind of trouble.
func hurt(s provision.Status) provision.Status {
	last, other := len(s.Hosts)-1, len(s.Hosts)-2
	name := s.Hosts[last].Name
	s.Hosts[last].Components[2].State = "failed"
	s.Hosts[last].Node = provision.NodeStatus{Why: "is not Ready: Kubelet stopped posting node status.", Cordoned: true}
	s.Hosts[last].Certificates[0].DaysLeft = 12
	s.Hosts[other] = provision.HostStatus{
		Name: s.Hosts[other].Name, Role: inventory.RoleNode, Away: "unreachable while connecting: i/o timeout",
		Node: provision.NodeStatus{Ready: true}, Components: []provision.Component{}, Certificates: []provision.Expiry{},
	}
	f5 := &s.BGP.BigIPs[0]
	f5.Sessions[last].AtHost = &provision.BGPEnd{State: "Active", Reason: "Socket: Connection refused"}
	f5.Sessions[last].AtBigIP = &provision.BGPEnd{State: "none"}
	f5.Sessions[other].AtHost, f5.Sessions[other].Why = nil, "the host is away"
	f5.Findings = []provision.BGPFinding{{Kind: "no-session", Host: name, Text: "10.90.0.22 is not among the neighbors"}}
	s.BGP.Mesh[0] = provision.MeshStatus{Host: s.BGP.Mesh[0].Host, Up: s.BGP.Mesh[0].Want - 1, Want: s.BGP.Mesh[0].Want, Down: []string{name + ": Connect"}}
	s.BGP.Mesh[other] = provision.MeshStatus{Host: s.Hosts[other].Name, Why: "the host is away"}
	s.BGP.Others = []provision.OtherSession{{Host: "kube-master-1", Peer: "192.0.2.9", BGPEnd: provision.BGPEnd{State: "Established", Since: "12:00:00"}}}
	s.Strangers = []string{"kube-node-old"}
	s.Inventory.Pending = []provision.Pending{
		{ID: plan.NewID(name, "unit", "kubelet.service"), Action: plan.Update, Reason: "active is failed, not active"},
	}
	s.Inventory.Unseen = 2
	s.Problems = append([]string{"kube-node-old: it is a node of the cluster, but not in the inventory"}, s.BGP.Problems()...)
	return s
}

func TestStatus(t *testing.T) {
	down := well(3, 2)
	down.API = provision.Health{Text: "no API server answers: kube-apiserver on kube-master-1: refused\nkube-apiserver on kube-master-2: refused"}
	down.Etcd = provision.EtcdStatus{Health: provision.Health{Text: "etcd: list members: refused"}, Members: []provision.EtcdMember{}}
	down.Inventory = provision.Differences{Why: "looking at x: refused", Pending: []provision.Pending{}}
	down.Problems = []string{"etcd: " + down.Etcd.Text, "API: " + down.API.Text}
	for name, s := range map[string]provision.Status{
		"status-well.txt":     well(3, 2),
		"status-hurt.txt":     hurt(well(3, 2)),
		"status-many.txt":     well(3, 197),
		"status-manyhurt.txt": hurt(well(3, 197)),
		"status-down.txt":     down,
		"status-new.txt":      {Cluster: "prod1", Standing: "new", Problems: []string{"there is no cluster \"prod1\" yet: `drover apply` makes it"}},
	} {
		var out bytes.Buffer
		if err := (view.View{Out: &out}).Status(s, view.Text); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.Bytes())
	}
	var out bytes.Buffer
	if err := (view.View{Out: &out}).Status(hurt(well(1, 2)), view.JSON); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.json", out.Bytes())
}

func TestBGP(t *testing.T) {
	for name, s := range map[string]provision.Status{"bgp-well.txt": well(3, 2), "bgp-hurt.txt": hurt(well(3, 2))} {
		var out bytes.Buffer
		if err := (view.View{Out: &out}).BGP(s.BGP, view.Text); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.Bytes())
	}
}

func TestReset(t *testing.T) {
	var out bytes.Buffer
	err := (view.View{Out: &out}).Reset(&provision.Reset{
		Cluster: "prod1", Workloads: []string{"Deployment shop/web (12 pods)"},
		Hosts: []provision.ResetHost{
			{Name: "kube-master-1", Traces: map[string]int{"unit": 8, "component": 9, "file": 44, "data": 59, "container": 4, "note": 2}},
			{Name: "kube-node-1", Traces: map[string]int{"unit": 1, "network": 1}},
			{Name: "kube-node-2"},
		},
		BigIPs: []provision.ResetBigIP{{Name: "f5-a", Lines: []string{"router bgp 64512", " no neighbor prod1 peer-group"}}, {Name: "f5-b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "reset.txt", out.Bytes())
}
