package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/ospackage"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/survey"
)

// world is a cluster with the facts of its hosts.
type world struct {
	c *inventory.Cluster
	f map[string]survey.Facts
	// How links end that do not come about, by "FROM TO PORT", and hosts that could
	// not be asked; else all is well.
	outcomes   map[string]Outcome
	mute, deaf map[string]string
	a          map[string][]pki.Description
	p          map[string]Puppet
}

// well is a master and two nodes, bare, on which nothing stands in the way.
func well() *world {
	w := &world{
		c: &inventory.Cluster{
			Name:    "one",
			PodCIDR: netip.MustParsePrefix("10.100.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.101.0.0/16"),
			KubeMasters: []inventory.Host{{Role: inventory.RoleMaster, Name: "m1", Address: netip.MustParseAddr("10.90.0.11")}},
			KubeNodes: []inventory.Host{
				{Role: inventory.RoleNode, Name: "n1", Address: netip.MustParseAddr("10.90.0.21")},
				{Role: inventory.RoleNode, Name: "n2", Address: netip.MustParseAddr("10.90.0.22")},
			},
		},
		f: map[string]survey.Facts{}, outcomes: map[string]Outcome{}, mute: map[string]string{}, deaf: map[string]string{},
	}
	for i, h := range w.c.Hosts() {
		f := survey.Facts{
			Host: h.Name, Hostname: h.Name, OS: survey.OS{ID: "debian", Version: "12", Name: "Debian 12"}, Kernel: "6.1.0", Arch: "x86_64",
			MachineID: fmt.Sprint("id", i), ProductUUID: fmt.Sprint("uuid", i), BootID: fmt.Sprint("boot", i), Cgroup: 2,
			NetworkSeen: true,
			Interfaces: []survey.Interface{
				{Name: "lo", MTU: 65536, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}},
				{Name: "eth0", MTU: 1500, MAC: fmt.Sprintf("52:54:00:00:00:0%d", i), Addresses: []netip.Prefix{netip.PrefixFrom(h.Address, 24), netip.MustParsePrefix("fe80::1/64")}},
			},
			Routes: []survey.Route{
				{To: netip.MustParsePrefix("0.0.0.0/0"), Via: "10.90.0.1", Interface: "eth0"},
				{To: netip.MustParsePrefix("10.90.0.0/24"), Interface: "eth0", Proto: "kernel"},
			},
			Nameservers: []string{"10.0.0.53"},
			Listeners:   []survey.Listener{{Address: netip.MustParseAddrPort("0.0.0.0:22"), PID: 1, Program: "sshd", Unit: "ssh.service"}},
			Commands:    map[string]bool{},
			Features:    map[string]survey.Answer{survey.Overlay: survey.Yes, survey.Conntrack: survey.Yes, survey.NFTables: survey.Unknown, survey.IPForward: survey.Yes},
		}
		for _, p := range ospackage.Of(w.c) {
			f.Commands[p.Command] = true
		}
		for _, room := range rooms {
			f.Disks = append(f.Disks, survey.Disk{Path: room.path, Mount: room.path, Source: "/dev" + room.path, Size: 100 * gib, Free: room.warn, Inodes: 1e6, InodesFree: inodesWarn})
		}
		w.f[h.Name] = f
	}
	return w
}

// on changes the facts of one host.
func (w *world) on(host string, change func(f *survey.Facts)) {
	f := w.f[host]
	change(&f)
	w.f[host] = f
}

// member makes a host part of the cluster.
func (w *world) member(host string) {
	w.on(host, func(f *survey.Facts) { f.Drove = survey.Drove{Member: true, Cluster: "one", Began: true, Etcd: true} })
}

func (w *world) disk(host, path string, change func(d *survey.Disk)) {
	w.on(host, func(f *survey.Facts) {
		for i := range f.Disks {
			if f.Disks[i].Path == path {
				change(&f.Disks[i])
			}
		}
	})
}

func (w *world) listen(host, at string, l survey.Listener) {
	l.Address = netip.MustParseAddrPort(at)
	w.on(host, func(f *survey.Facts) { f.Listeners = append(f.Listeners, l) })
}

func (w *world) unit(host string, u survey.Unit) {
	w.on(host, func(f *survey.Facts) { f.Units = append(f.Units, u) })
}

func (w *world) check() []Finding {
	reach := Reach{Mute: w.mute, Deaf: w.deaf}
	for _, l := range Links(w.c, w.f, func(string) bool { return true }) {
		a := Attempt{l, Connected}
		if o, ok := w.outcomes[fmt.Sprintf("%s %s %d", l.From, l.To, l.At.Port())]; ok {
			a.Outcome = o
		}
		reach.Attempts = append(reach.Attempts, a)
	}
	return Check(Inputs{Cluster: w.c, Facts: w.f, Authorities: w.a, Puppet: w.p, Reach: reach, Now: today()})
}

// bigIP adds one.
func (w *world) bigIP(manage inventory.Manage) {
	w.c.BigIPs = append(w.c.BigIPs, inventory.BigIP{Name: "f5", PeerAddress: netip.MustParseAddr("10.90.0.5"), Manage: manage})
}

func today() time.Time { return time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC) }

// authority makes a host hold one that ends in so many days.
func (w *world) authority(host, name string, days int) {
	if w.a == nil {
		w.a = map[string][]pki.Description{}
	}
	w.a[host] = append(w.a[host], pki.Description{CommonName: name, CA: true, NotAfter: today().AddDate(0, 0, days)})
}

// lines are findings, a line each.
func lines(findings []Finding) []string {
	out := []string{}
	for _, f := range findings {
		line := fmt.Sprintf("%s %s %s: %s", f.Severity, f.ID, f.Host, f.Text)
		if f.Waived != "" {
			line += " [waived: " + f.Waived + "]"
		}
		out = append(out, line)
	}
	return out
}

// Each row changes a world on which nothing stands in the way, and says what is
// found then: at and on either side of each threshold.
func TestChecks(t *testing.T) {
	nginx := survey.Listener{PID: 812, Program: "nginx", Exe: "/usr/sbin/nginx", Unit: "nginx.service"}
	found := map[string]bool{}
	for name, test := range rows(nginx) {
		t.Run(name, func(t *testing.T) {
			w := well()
			test.change(w)
			got := w.check()
			want := append([]string{}, test.want...)
			if d := cmp.Diff(want, lines(got)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			for _, f := range got {
				found[f.ID] = true
				if f.Measured == "" || f.Wanted == "" || f.Fix == "" || f.At == nil || strings.Contains(f.Fix, "%!") {
					t.Errorf("incomplete: %+v", f)
				}
			}
		})
	}
	for _, c := range checks {
		if !found[c.id] {
			t.Errorf("no row has %s find something", c.id)
		}
	}
}

// What waivers may name is what checks there are.
func TestTheInventoryKnowsAllChecks(t *testing.T) {
	var ids []string
	for _, c := range checks {
		ids = append(ids, c.id)
	}
	slices.Sort(ids)
	if d := cmp.Diff(inventory.PreflightChecks, ids); d != "" {
		t.Errorf("-inventory +checks:\n%s", d)
	}
}

// What fails is told first, and what is waived last, with the reason.
func TestWaivers(t *testing.T) {
	w := well()
	for _, h := range []string{"m1", "n1", "n2"} {
		w.on(h, func(f *survey.Facts) { f.Swap = gib })
	}
	w.on("n2", func(f *survey.Facts) { f.Nameservers = nil })
	w.c.Preflight.Waivers = []inventory.Waiver{
		{Check: "swap-on", Hosts: []string{"m1"}, Reason: "it is small"},
		{Check: "dns-broken", Reason: "no pod needs it"},
	}
	want := []string{
		"FAIL swap-on n1: 1.0 GiB of swap are on, with which the kubelet refuses to start",
		"FAIL swap-on n2: 1.0 GiB of swap are on, with which the kubelet refuses to start",
		"FAIL swap-on m1: 1.0 GiB of swap are on, with which the kubelet refuses to start [waived: it is small]",
		"WARN dns-broken n2: /etc/resolv.conf names no name server, so pods there will find no names but the cluster's [waived: no pod needs it]",
	}
	if d := cmp.Diff(want, lines(w.check())); d != "" || !Failed(w.check()) || Warned(w.check()) {
		t.Errorf("-want +got:\n%s", d)
	}
	w.c.Preflight.Waivers[0].Hosts = nil // all
	if Failed(w.check()) {
		t.Errorf("all is waived: %s", lines(w.check()))
	}
}

// A cluster that runs has everything that would stand in the way of another.
func TestAClusterThatRuns(t *testing.T) {
	w := well()
	for _, h := range w.c.Hosts() {
		w.member(h.Name)
		w.authority(h.Name, "kubernetes", 3650)
		w.on(h.Name, func(f *survey.Facts) {
			f.Left = survey.Left{Kubernetes: []string{"admin.conf", "pki"}, CNI: []string{calicosCNI}, EtcdData: true}
			f.Interfaces = append(f.Interfaces, survey.Interface{Name: "cali12", MTU: 1500, MAC: "ee:ee:ee:ee:ee:ee", Addresses: []netip.Prefix{netip.MustParsePrefix("10.100.1.1/32")}})
			f.Routes = append(f.Routes,
				survey.Route{To: netip.MustParsePrefix("10.100.1.5/32"), Interface: "cali12"},
				survey.Route{To: netip.MustParsePrefix("10.100.1.0/26"), Proto: "bird"},
				survey.Route{To: netip.MustParsePrefix("10.100.2.0/26"), Via: "10.90.0.12", Interface: "eth0", Proto: "bird"})
			for i := range f.Disks {
				f.Disks[i].Free /= 2
			}
		})
		for _, u := range Units() {
			w.unit(h.Name, survey.Unit{Name: u, Active: "active", Enabled: "enabled", Fragment: "/etc/systemd/system/" + u, Ours: true})
		}
		for _, p := range ports(w.c, subject{h, w.f[h.Name]}) {
			w.listen(h.Name, netip.AddrPortFrom(p.at, p.number).String(), survey.Listener{Program: "p", Unit: "kubelet.service"})
		}
		w.listen(h.Name, "[::]:179", survey.Listener{Program: "bird", Exe: "/usr/sbin/bird", Pod: true})
		w.listen(h.Name, "127.0.0.1:2379", survey.Listener{Program: "etcd", Exe: "/opt/drover/etcd/3.6.16/etcd"})
		w.listen(h.Name, "127.0.0.1:16443", survey.Listener{Program: "haproxy", Exe: "/usr/sbin/haproxy", Unit: manifests.HAProxyUnit})
	}
	if got := w.check(); len(got) > 0 {
		t.Errorf("%s", strings.Join(lines(got), "\n"))
	}
}

// A host that joins must differ from those of the cluster, which are not surveyed.
func TestOthers(t *testing.T) {
	w := well()
	delete(w.f, "m1")
	delete(w.f, "n2")
	got := Check(Inputs{Cluster: w.c, Facts: w.f, Others: map[string]Identity{
		"m1": {Hostname: "n1", MachineID: "other"}, "n2": {Hostname: "n2", MachineID: "id1"},
	}})
	want := []string{
		"FAIL machine-id-twice n1: its machine-id id1 is also that of n2: they are copies of one machine, or one machine with two addresses",
		"WARN hostname-twice n1: its host name n1 is also that of m1: logs and Puppet would take one for the other",
	}
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestNames(t *testing.T) {
	c := &inventory.Cluster{}
	c.API.Endpoint, c.Artifacts.Registry = "k8s.example.net:6443", "10.90.0.252:5000"
	c.Artifacts.Mirror, c.Artifacts.Pull = "http://mirror.example.net:8080/k8s", inventory.PullHosts
	if d := cmp.Diff([]string{"k8s.example.net", "mirror.example.net"}, Names(c)); d != "" {
		t.Error(d)
	}
	c.Artifacts.Pull, c.Artifacts.Registry = inventory.PullPush, "k8s.example.net"
	if d := cmp.Diff([]string{"k8s.example.net"}, Names(c)); d != "" {
		t.Error(d)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
