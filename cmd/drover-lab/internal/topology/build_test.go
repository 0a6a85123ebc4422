package topology

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func host(name string, role Role, address string) Host {
	return Host{Name: name, Role: role, Address: netip.MustParseAddr(address)}
}

func demo() []Host {
	return []Host{
		host("kube-master-1", Master, "10.90.0.11"),
		host("kube-node-1", Node, "10.90.0.21"),
		host("f5-a", Router, "10.90.0.5"),
		host("f5-b", Router, "10.90.0.6"),
	}
}

// describe is a lab in a few lines, for people to compare.
func describe(l Lab) string {
	var b strings.Builder
	fmt.Fprintf(&b, "gateway %s admin %s mirror %s\n", l.Gateway, l.Admin, l.Mirror)
	for _, s := range l.Segments {
		fmt.Fprintf(&b, "segment %s %s %s\n", s.Name, s.Bridge, s.Prefix)
	}
	for _, m := range l.Machines {
		fmt.Fprintf(&b, "%s %s as %s", m.Role, m.Name, m.User())
		for _, i := range m.Interfaces {
			fmt.Fprintf(&b, " %s:%s@%s", i.Name, i.Address, i.Segment)
		}
		for _, r := range m.Routes {
			fmt.Fprintf(&b, " %s->%s", r.Dest, r.Via)
		}
		b.WriteString("\n")
	}
	for _, r := range l.GatewayRoutes() {
		fmt.Fprintf(&b, "gateway has %s->%s\n", r.Dest, r.Via)
	}
	return b.String()
}

func TestBuild(t *testing.T) {
	lab, err := Build("demo", "examples/lab", demo())
	if err != nil {
		t.Fatal(err)
	}
	want := `gateway 10.90.0.254 admin 10.90.0.253 mirror 10.90.0.252
segment fabric fabric 10.90.0.0/24
segment f5-a-client client1 198.18.1.0/24
segment f5-b-client client2 198.18.2.0/24
kube-master kube-master-1 as ops eth0:10.90.0.11/24@fabric 0.0.0.0/0->10.90.0.254
kube-node kube-node-1 as ops eth0:10.90.0.21/24@fabric 0.0.0.0/0->10.90.0.254
router f5-a as root eth0:10.90.0.5/24@fabric eth1:198.18.1.1/24@f5-a-client
client f5-a-client as ops eth0:198.18.1.2/24@f5-a-client 0.0.0.0/0->198.18.1.1
router f5-b as root eth0:10.90.0.6/24@fabric eth1:198.18.2.1/24@f5-b-client
client f5-b-client as ops eth0:198.18.2.2/24@f5-b-client 0.0.0.0/0->198.18.2.1
gateway has 198.18.1.0/24->10.90.0.5
gateway has 198.18.2.0/24->10.90.0.6
`
	if diff := cmp.Diff(want, describe(lab)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	client, _ := lab.Machine("f5-b-client")
	if router, ok := lab.RouterOf(client); !ok || router.Name != "f5-b" {
		t.Errorf("f5-b-client stands behind %v, %v", router.Name, ok)
	}
	master, _ := lab.Machine("kube-master-1")
	if router, ok := lab.RouterOf(master); ok && router.Interfaces[0].Segment != Fabric {
		t.Errorf("kube-master-1 stands behind %s", router.Name)
	}
}

// The lab's own addresses give way to those of the inventory, and its network
// is as large as it must be.
func TestBuildFindsRoom(t *testing.T) {
	lab, err := Build("demo", "", []Host{
		host("a", Node, "10.90.0.254"), host("b", Node, "10.90.0.252"), host("c", Node, "10.90.3.1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(lab.Fabric().Prefix, lab.Gateway, lab.Admin, lab.Mirror)
	if want := "10.90.0.0/22 10.90.3.254 10.90.3.253 10.90.3.252"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	lab, err = Build("demo", "", []Host{host("a", Node, "10.90.0.254"), host("b", Node, "10.90.0.252")})
	if err != nil {
		t.Fatal(err)
	}
	got = fmt.Sprint(lab.Fabric().Prefix, lab.Gateway, lab.Admin, lab.Mirror)
	if want := "10.90.0.0/24 10.90.0.253 10.90.0.251 10.90.0.250"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestBuildRefuses(t *testing.T) {
	var crowd []Host
	for n := 1; n < 253; n++ {
		crowd = append(crowd, host(fmt.Sprintf("n%d", n), Node, fmt.Sprintf("10.90.0.%d", n)))
	}
	for _, tc := range []struct {
		what, lab string
		hosts     []Host
		want      []string
	}{
		{"a lab's name that is none", "Demo", demo(), []string{`lab name "Demo": at most 24 lower-case letters`}},
		{"a lab's name with a dot", "a.b", demo(), []string{`lab name "a.b"`}},
		{"a lab's name too long", strings.Repeat("a", 25), demo(), []string{"at most 24"}},
		{"no machine", "demo", nil, []string{"the inventory has no machine"}},
		{"every bad host at once", "demo", []Host{
			host("admin", Node, "10.90.0.11"), host("fabric", Node, "10.90.0.12"), host("gateway", Master, "10.90.0.13"), host("mirror", Node, "10.90.0.14"),
			host(strings.Repeat("x", 25), Node, "10.90.0.15"), host("near-the-clients", Node, "198.19.0.1"),
		}, []string{
			"admin: the lab uses this name itself", "fabric: the lab uses", "gateway: the lab uses", "mirror: the lab uses",
			strings.Repeat("x", 25) + ": a lab machine's name has at most 24", "near-the-clients: address 198.19.0.1 is in 198.18.0.0/15",
		}},
		{"a machine named as a router's client", "demo", append(demo(), host("f5-a-client", Node, "10.90.0.22")), []string{
			"f5-a-client: the lab uses this name itself",
		}},
		{"the ends of the network", "demo", append(demo(), host("first", Node, "10.90.0.0"), host("last", Node, "10.90.0.255")), []string{
			"first: address 10.90.0.0 is an end of the lab's network 10.90.0.0/24", "last: address 10.90.0.255 is an end",
		}},
		{"networks too far apart", "demo", []Host{host("a", Node, "10.90.0.1"), host("b", Node, "10.91.0.1")}, []string{"share only their first 15 bits"}},
		{"no room for the lab itself", "demo", crowd, []string{"network 10.90.0.0/24: no three addresses left"}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			lab, err := Build(tc.lab, "", tc.hosts)
			if err == nil {
				t.Fatalf("built:\n%s", describe(lab))
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in:\n%v", want, err)
				}
			}
		})
	}
}

func TestExtend(t *testing.T) {
	lab, err := Build("demo", "", demo())
	if err != nil {
		t.Fatal(err)
	}
	before := describe(lab)
	more, err := lab.Extend([]Host{host("kube-node-2", Node, "10.90.0.22"), host("f5-c", Router, "10.90.0.7")})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kube-node-1 as", // the inventory no longer names it, and it stays
		"kube-node kube-node-2 as ops eth0:10.90.0.22/24@fabric 0.0.0.0/0->10.90.0.254\n",
		"segment f5-c-client client3 198.18.3.0/24\n",
		"gateway has 198.18.3.0/24->10.90.0.7\n",
	} {
		if !strings.Contains(describe(more), want) {
			t.Errorf("no %q in:\n%s", want, describe(more))
		}
	}
	if diff := cmp.Diff(before, describe(lab)); diff != "" {
		t.Errorf("extending changed the lab that was extended:\n%s", diff)
	}
	_, err = lab.Extend([]Host{
		host("kube-node-1", Node, "10.90.0.99"), host("kube-master-1", Node, "10.90.0.11"),
		host("far", Node, "10.90.1.1"), host("gate", Node, "10.90.0.254"), host("twin", Node, "10.90.0.21"),
		host("f5-b-client", Node, "10.90.0.30"), host("last", Node, "10.90.0.255"),
	})
	if err == nil {
		t.Fatal("extended")
	}
	for _, want := range []string{
		"kube-node-1: the lab has it as kube-node at 10.90.0.21, the inventory as kube-node at 10.90.0.99",
		"kube-master-1: the lab has it as kube-master at 10.90.0.11, the inventory as kube-node",
		"far: address 10.90.1.1 is outside the lab's network 10.90.0.0/24",
		"gate: address 10.90.0.254 is the lab's own",
		"twin: address 10.90.0.21 is kube-node-1's",
		"f5-b-client: the lab has it as client",
		"last: address 10.90.0.255 is an end",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

// inventories are hosts with names and addresses of their own, in one /16.
func inventories(t *rapid.T) []Host {
	addresses := rapid.SliceOfNDistinct(rapid.IntRange(1, 1<<rapid.IntRange(4, 15).Draw(t, "bits")), 1, 40, rapid.ID[int]).Draw(t, "addresses")
	var hosts []Host
	for n, a := range addresses {
		role := rapid.SampledFrom([]Role{Master, Node, Router}).Draw(t, "role")
		hosts = append(hosts, Host{Name: fmt.Sprintf("h-%d", n), Role: role, Address: netip.AddrFrom4([4]byte{10, 77, byte(a >> 8), byte(a)})})
	}
	return hosts
}

// Whatever the inventory: nothing has an address, a name, a port or a hardware
// address of something else, and all fit where they go.
func TestNothingIsUsedTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hosts := inventories(t)
		lab, err := Build("some-lab", "", hosts)
		if err != nil {
			return // an address at the end of the network
		}
		unique(t, lab)
		if with, err := lab.WithPuppet(); err == nil {
			unique(t, with)
		}
		if len(lab.Machines) < len(hosts) {
			t.Fatalf("%d machines of %d hosts", len(lab.Machines), len(hosts))
		}
	})
}

// Extending a lab adds what is new, and changes nothing that is there.
func TestExtendKeepsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hosts := inventories(t)
		lab, err := Build("some-lab", "", hosts[:rapid.IntRange(1, len(hosts)).Draw(t, "first")])
		if err != nil {
			return
		}
		more, err := lab.Extend(hosts)
		if err != nil {
			return // outside of the network, or one of the lab's own addresses
		}
		unique(t, more)
		if diff := cmp.Diff(lab.Machines, more.Machines[:len(lab.Machines)], cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Fatalf("machines changed:\n%s", diff)
		}
		again, err := more.Extend(hosts)
		if err != nil || describe(again) != describe(more) {
			t.Fatalf("extending twice: %v\n%s", err, describe(again))
		}
	})
}

func unique(t *rapid.T, lab Lab) {
	owner := map[string]string{}
	take := func(kind string, value any, by string) {
		key := fmt.Sprint(kind, " ", value)
		if other, taken := owner[key]; taken {
			t.Fatalf("%s is both %s's and %s's", key, other, by)
		}
		owner[key] = by
	}
	fabric := lab.Fabric().Prefix
	for name, a := range map[string]netip.Addr{"gateway": lab.Gateway, "admin": lab.Admin, "mirror": lab.Mirror} {
		take("address", a, name)
		if !fabric.Contains(a) || a == fabric.Addr() || a == broadcast(fabric) {
			t.Fatalf("%s has %s, no host's address of %s", name, a, fabric)
		}
	}
	for _, party := range []string{Admin, Mirror} {
		take("port", lab.Port(party, 0), party)
	}
	for _, s := range lab.Segments {
		take("bridge", s.Bridge, s.Name)
		take("network", s.Prefix, s.Name)
		if len(s.Bridge) > 15 {
			t.Fatalf("bridge %s is no interface's name", s.Bridge)
		}
	}
	for _, m := range lab.Machines {
		take("name", m.Name, m.Name)
		take("machine id", lab.MachineID(m.Name), m.Name)
		for n, i := range m.Interfaces {
			take("address", i.Address.Addr(), m.Name)
			take("hardware address", lab.MAC(m.Name, n), m.Name)
			port := lab.Port(m.Name, n)
			take("port", port, m.Name)
			if len(port) > 15 {
				t.Fatalf("port %s of %s is no interface's name", port, m.Name)
			}
			seg, ok := lab.Segment(i.Segment)
			if !ok || seg.Prefix.Bits() != i.Address.Bits() || !seg.Prefix.Contains(i.Address.Addr()) {
				t.Fatalf("%s has %s on segment %+v", m.Name, i.Address, seg)
			}
		}
	}
}

// Two labs on one machine share no port, no link and no machine id.
func TestLabsDiffer(t *testing.T) {
	one, err := Build("one", "", demo())
	if err != nil {
		t.Fatal(err)
	}
	two := one
	two.Name = "two"
	if one.Port("kube-node-1", 0) == two.Port("kube-node-1", 0) || one.MAC("kube-node-1", 0).String() == two.MAC("kube-node-1", 0).String() ||
		one.MachineID("kube-node-1") == two.MachineID("kube-node-1") || AdminLink("one") == AdminLink("two") {
		t.Error("two labs share what each must have of its own")
	}
	mac := one.MAC("kube-node-1", 0)
	if mac[0]&1 != 0 || mac[0]&2 == 0 || mac.String() != one.MAC("kube-node-1", 0).String() {
		t.Errorf("%s: want a stable, locally administered address of one card", mac)
	}
	if len(AdminLink(strings.Repeat("a", 24))) > 15 {
		t.Error("the admin link's name is too long for an interface")
	}
}
