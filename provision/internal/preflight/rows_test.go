package preflight

import (
	"errors"
	"maps"
	"net/netip"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/catalog"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/survey"
)

type row struct {
	change func(w *world)
	want   []string
}

func rows(nginx survey.Listener) map[string]row {
	all := map[string]row{
		"nothing": {change: func(*world) {}},

		"Puppet's": {
			change: func(w *world) {
				file := catalog.Resource{Type: "File", Title: "/etc/kubernetes", File: "/etc/puppet/k8s.pp", Line: 7}
				var all []catalog.Conflict
				for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
					all = append(all, catalog.Conflict{What: "/etc/kubernetes/" + name, Resource: file, Why: "purges it"})
				}
				pin := catalog.Conflict{What: "package haproxy", Resource: catalog.Resource{Type: "Package", Title: "haproxy"}, Why: "decides on its version", Bearable: true}
				w.p = map[string]Puppet{
					"n1": {From: "catalog", Conflicts: append(all, pin)},
					"n2": {From: "resources.txt", Conflicts: all[:1]},
				}
			},
			want: []string{
				"FAIL puppet-managed n1: /etc/kubernetes/a, /etc/kubernetes/b, /etc/kubernetes/c, /etc/kubernetes/d, /etc/kubernetes/e and 2 more: Puppet's File[/etc/kubernetes] purges it (/etc/puppet/k8s.pp:7)",
				"FAIL puppet-managed n2: /etc/kubernetes/a: Puppet's File[/etc/kubernetes] purges it (/etc/puppet/k8s.pp:7), by the titles in resources.txt alone",
				"WARN puppet-managed n1: package haproxy: Puppet's Package[haproxy] decides on its version (its manifest is not known)",
			},
		},
		"Puppet's, not known": {
			change: func(w *world) {
				w.p = map[string]Puppet{"n1": {Err: errors.New("no ruby")}, "n2": {Why: "the catalog has 99999999 bytes"}}
			},
			want: []string{
				"FAIL puppet-managed n1: what Puppet manages there could not be looked at: no ruby",
				"WARN puppet-managed n2: what Puppet manages there is not known: the catalog has 99999999 bytes",
			},
		},
		"Puppet's, that has never run": {change: func(w *world) { w.p = map[string]Puppet{"n1": {}} }},

		"another OS": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.OS = survey.OS{ID: "ubuntu", Version: "12", Name: "Ubuntu 12"} })
			},
			want: []string{"FAIL os-unproven n1: it runs Ubuntu 12, and drover was shown to work on Debian 12 only"},
		},
		"another release, and none": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.OS = survey.OS{ID: "debian", Version: "13", Name: "Debian 13"} })
				w.on("n2", func(f *survey.Facts) { f.OS = survey.OS{} })
			},
			want: []string{
				"FAIL os-unproven n1: it runs Debian 13, and drover was shown to work on Debian 12 only",
				"FAIL os-unproven n2: it runs a system without /etc/os-release, and drover was shown to work on Debian 12 only",
			},
		},
		"another processor": {
			change: func(w *world) { w.on("n1", func(f *survey.Facts) { f.Arch = "aarch64" }) },
			want:   []string{"FAIL arch n1: its processor is aarch64, and drover installs programs for x86_64"},
		},
		"a poor kernel": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) {
					f.Features = map[string]survey.Answer{survey.Overlay: survey.No, survey.IPForward: survey.No}
				})
			},
			want: []string{
				"FAIL kernel-feature n1: its kernel 6.1.0 has no overlay, neither built in nor as a module, and containerd keeps images in it",
				"FAIL kernel-feature n1: net.ipv4.ip_forward cannot be set there, and pods are routed through their host",
			},
		},
		"cgroup v1": {
			change: func(w *world) { w.on("n1", func(f *survey.Facts) { f.Cgroup = 1 }) },
			want:   []string{"FAIL cgroup-v1 n1: it has control groups of version 1, with which the kubelet refuses to start"},
		},
		"cgroup v1 and a kubelet that bears it": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Cgroup = 1 })
				w.c.KubeNodes[0].Kubelet.Config = inventory.Settings{"failCgroupV1": false}
			},
		},

		"a clock at the threshold": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Clock = survey.Clock{Offset: seconds(1.2), Error: seconds(0.2)} })
			},
		},
		"clocks above it, both ways": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Clock = survey.Clock{Offset: seconds(1.201), Error: seconds(0.2)} })
				w.on("n2", func(f *survey.Facts) { f.Clock = survey.Clock{Offset: seconds(-10), Error: 0} })
			},
			want: []string{
				"WARN clock-offset n1: its clock is 1.201s ahead of the one here (± 200ms): certificates made here would not be valid there, and etcd's leases would end at the wrong time",
				"WARN clock-offset n2: its clock is 10s behind the one here (± 0s): certificates made here would not be valid there, and etcd's leases would end at the wrong time",
			},
		},
		"a clock that fails": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Clock = survey.Clock{Offset: seconds(-10.003), Error: seconds(0.002)} })
			},
			want: []string{"FAIL clock-offset n1: its clock is 10.003s behind the one here (± 2ms): certificates made here would not be valid there, and etcd's leases would end at the wrong time"},
		},

		"authorities that end": {
			change: func(w *world) {
				for name, days := range map[string]int{"far": 365, "in a year": 364, "in a quarter": 90, "soon": 89, "ended": 0} {
					w.authority("m1", name, days)
				}
				slices.SortFunc(w.a["m1"], func(a, b pki.Description) int { return a.NotAfter.Compare(b.NotAfter) })
			},
			want: []string{
				"FAIL ca-ends m1: the CA ended ended on 2026-12-01. Nothing that it signed is accepted any more.",
				"FAIL ca-ends m1: the CA soon ends on 2027-02-28, in 89 days. Every certificate it signed ends with it, and no longer-lived one can be issued.",
				"WARN ca-ends m1: the CA in a quarter ends on 2027-03-01, in 90 days. Every certificate it signed ends with it, and no longer-lived one can be issued.",
				"WARN ca-ends m1: the CA in a year ends on 2027-11-30, in 364 days. Every certificate it signed ends with it, and no longer-lived one can be issued.",
			},
		},
		"an authority on a host that is not touched": {
			change: func(w *world) { delete(w.f, "m1"); w.authority("m1", "etcd-ca", -1) },
			want:   []string{"FAIL ca-ends m1: the CA etcd-ca ended on 2026-11-30. Nothing that it signed is accepted any more."},
		},

		"swap": {
			change: func(w *world) { w.on("n1", func(f *survey.Facts) { f.Swap = 1 << 10 }) },
			want:   []string{"FAIL swap-on n1: 1 KiB of swap are on, with which the kubelet refuses to start"},
		},
		"swap and a kubelet that bears it": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Swap = gib })
				w.c.KubeNodes[0].Kubelet.Config = inventory.Settings{"failSwapOn": false}
			},
		},

		"packages": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Commands = map[string]bool{"ip": true, "sysctl": true} })
			},
			want: []string{
				"FAIL package-missing n1: it lacks the package nftables (there is no command nft): kube-proxy writes its rules with it",
				"FAIL package-missing n1: it lacks the package haproxy (there is no command haproxy): it is the host's own way to the API servers",
				"WARN package-missing n1: it lacks the package conntrack (there is no command conntrack): nothing else shows the connections that kube-proxy has translated",
			},
		},
		"packages that nothing needs here": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { delete(f.Commands, "haproxy"); f.Commands["nft"] = false })
				w.c.API.Endpoint = "k8s.example.net:6443"
				w.c.KubeProxy.Config = inventory.Settings{"mode": "ipvs"}
			},
		},
		"packages that will be installed": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Commands = nil })
				w.c.Packages.Install = true
			},
		},
		"a read-only /etc": {
			change: func(w *world) { w.on("n1", func(f *survey.Facts) { f.ReadOnly = []string{"/etc", "/opt"} }) },
			want:   []string{"FAIL read-only n1: /etc, /opt cannot be written to, not even by root"},
		},

		"machine-ids": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.MachineID = "id0" })
				w.on("n2", func(f *survey.Facts) { f.MachineID = "id0" })
			},
			want: []string{
				"FAIL machine-id-twice n1: its machine-id id0 is also that of m1: they are copies of one machine, or one machine with two addresses",
				"FAIL machine-id-twice n2: its machine-id id0 is also that of m1: they are copies of one machine, or one machine with two addresses",
			},
		},
		"product UUIDs": {
			change: func(w *world) { w.on("n2", func(f *survey.Facts) { f.ProductUUID = "uuid0" }) },
			want:   []string{"FAIL product-uuid-twice n2: its product UUID uuid0 is also that of m1: they are copies of one virtual machine"},
		},
		"product UUIDs of one machine's containers, and none": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.ProductUUID, f.BootID = "uuid0", "boot0" })
				w.on("n2", func(f *survey.Facts) { f.ProductUUID, f.MachineID = "", "" })
			},
		},
		"MAC addresses": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Interfaces[1].MAC = "52:54:00:00:00:00" })
				w.on("n2", func(f *survey.Facts) { // elsewhere they clash with nothing
					f.Interfaces = append(f.Interfaces, survey.Interface{Name: "docker0", MAC: "52:54:00:00:00:00", MTU: 1500})
				})
			},
			want: []string{"FAIL mac-twice n1: its interface eth0 has the MAC address 52:54:00:00:00:00, which is also that of m1: a switch delivers what is for one to either"},
		},
		"host names": {
			change: func(w *world) { w.on("n2", func(f *survey.Facts) { f.Hostname = "n1" }) },
			want:   []string{"WARN hostname-twice n2: its host name n1 is also that of n1: logs and Puppet would take one for the other"},
		},

		"another address": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) {
					f.Interfaces[1].Addresses = []netip.Prefix{netip.MustParsePrefix("10.90.0.99/24"), netip.MustParsePrefix("fe80::1/64")}
				})
				w.on("n2", func(f *survey.Facts) { f.Interfaces = f.Interfaces[:1] })
			},
			want: []string{
				"FAIL address-absent n1: none of its interfaces has the address 10.90.0.21, which its components are to listen on (it has 10.90.0.99 on eth0)",
				"FAIL address-absent n2: none of its interfaces has the address 10.90.0.22, which its components are to listen on (it has no IPv4 address)",
			},
		},
		"a network that could not be looked at": {
			change: func(w *world) { w.on("n1", func(f *survey.Facts) { f.Interfaces, f.NetworkSeen = nil, false }) },
		},
		"MTUs": {
			change: func(w *world) { w.on("n1", func(f *survey.Facts) { f.Interfaces[1].MTU = 9000 }) },
			want:   []string{"WARN mtu-differs n1: its interface eth0 has an MTU of 9000, where most hosts have 1500: large packets between them are lost where nobody may say so"},
		},

		"networks": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) {
					f.Interfaces = append(f.Interfaces, survey.Interface{Name: "docker0", MTU: 1500, Addresses: []netip.Prefix{netip.MustParsePrefix("10.100.255.1/24")}})
					f.Routes = append(f.Routes,
						survey.Route{To: netip.MustParsePrefix("10.101.0.0/16"), Via: "10.90.0.1", Interface: "eth0"},
						survey.Route{To: netip.MustParsePrefix("10.100.7.0/24")})
				})
			},
			want: []string{
				"FAIL network-overlap n1: it has the network 10.100.255.0/24 (on docker0), which overlaps pod_cidr 10.100.0.0/16",
				"FAIL network-overlap n1: it has the network 10.101.0.0/16 (a route via 10.90.0.1 on eth0), which overlaps service_cidr 10.101.0.0/16",
				"FAIL network-overlap n1: it has the network 10.100.7.0/24 (a route), which overlaps pod_cidr 10.100.0.0/16",
			},
		},
		"wider networks": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) {
					f.Routes = append(f.Routes, survey.Route{To: netip.MustParsePrefix("10.0.0.0/8"), Via: "10.90.0.1", Interface: "eth0"})
				})
				w.on("n2", func(f *survey.Facts) {
					f.Routes = append(f.Routes, survey.Route{To: netip.MustParsePrefix("10.100.0.0/15"), Interface: "eth1"},
						survey.Route{To: netip.MustParsePrefix("10.102.0.0/16"), Interface: "eth1"})
				})
			},
			want: []string{
				"FAIL network-overlap n2: it has the network 10.100.0.0/15 (a route to eth1), which overlaps pod_cidr 10.100.0.0/16",
				"FAIL network-overlap n2: it has the network 10.100.0.0/15 (a route to eth1), which overlaps service_cidr 10.101.0.0/16",
			},
		},

		"name servers": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Nameservers = []string{"127.0.0.53", "::1"} })
				w.on("n2", func(f *survey.Facts) { f.Nameservers = nil })
			},
			want: []string{
				"FAIL dns-broken n1: /etc/resolv.conf names 127.0.0.53: in CoreDNS's pod that is CoreDNS itself, which refuses to start when it would ask itself",
				"WARN dns-broken n2: /etc/resolv.conf names no name server, so pods there will find no names but the cluster's",
			},
		},
		"name servers that the kubelet is told": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) { f.Nameservers = []string{"127.0.0.53"} })
				w.c.KubeNodes[0].Kubelet.Config = inventory.Settings{"resolvConf": "/run/systemd/resolve/resolv.conf"}
			},
		},
		"names": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) {
					f.Resolves = map[string]bool{"mirror.example.net": false, "k8s.example.net": true}
				})
			},
			want: []string{"FAIL dns-broken n1: it finds no address for mirror.example.net, which it has to reach"},
		},

		"ports": {
			change: func(w *world) {
				w.listen("m1", "0.0.0.0:6443", nginx)
				w.listen("m1", "[::]:2379", survey.Listener{PID: 7, Program: "x"})
				w.listen("n1", "[::ffff:10.90.0.21]:10250", survey.Listener{})
				w.listen("n1", "127.0.0.1:16443", nginx)
			},
			want: []string{
				"FAIL port-taken m1: port 6443, for the API server, is taken: nginx (pid 812, nginx.service) listens on 0.0.0.0:6443",
				"FAIL port-taken m1: port 2379, for etcd, is taken: x (pid 7) listens on [::]:2379",
				"FAIL port-taken n1: port 10250, for the kubelet, is taken: a program that could not be told listens on [::ffff:10.90.0.21]:10250",
				"FAIL port-taken n1: port 16443, for the host's load balancer for the API, is taken: nginx (pid 812, nginx.service) listens on 127.0.0.1:16443",
			},
		},
		"ports that nobody wants there": {
			change: func(w *world) {
				w.listen("n1", "0.0.0.0:6443", nginx)
				w.listen("n1", "10.90.0.21:10248", nginx)
				w.listen("m1", "10.80.0.11:2380", nginx)
				w.listen("m1", "127.0.0.1:16443", nginx)
				w.c.API.Endpoint = "k8s.example.net:6443"
			},
		},
		"a port that a pod of another kubelet has": {
			change: func(w *world) { w.listen("n1", "0.0.0.0:179", survey.Listener{PID: 9, Program: "bird", Pod: true}) },
			want:   []string{"FAIL port-taken n1: port 179, for Calico's BIRD (BGP), is taken: bird (pid 9) listens on 0.0.0.0:179"},
		},

		"a host of another cluster": {
			change: func(w *world) {
				w.member("n1")
				w.on("n1", func(f *survey.Facts) { f.Drove.Cluster = "two" })
			},
			want: []string{`FAIL foreign-cluster n1: it belongs to the cluster "two", not to "one"`},
		},
		"others' units": {
			change: func(w *world) {
				w.unit("n1", survey.Unit{Name: "kubelet.service", Active: "activating", Fragment: "/lib/systemd/system/kubelet.service"})
				w.unit("n1", survey.Unit{Name: "docker.service", Active: "inactive", Enabled: "enabled", Fragment: "/lib/systemd/system/docker.service"})
				w.unit("n1", survey.Unit{Name: "containerd.service", Active: "inactive", Enabled: "disabled"})
				w.unit("n1", survey.Unit{Name: "etcd.service", Active: "active", Fragment: "/lib/systemd/system/etcd.service"}) // no master
				w.unit("m1", survey.Unit{Name: "etcd.service", Active: "active", Fragment: "/lib/systemd/system/etcd.service"})
				w.unit("m1", survey.Unit{Name: manifests.APIServerUnit, Active: "active", Fragment: "/x"})
				w.unit("m1", survey.Unit{Name: "kubelet.service", Active: "active", Ours: true})
			},
			want: []string{
				"FAIL foreign-kubelet n1: a kubelet that drover did not make is there: kubelet.service is activating (/lib/systemd/system/kubelet.service)",
				"FAIL foreign-runtime n1: a container runtime that drover did not make is there: docker.service is inactive, but starts with the host (/lib/systemd/system/docker.service)",
				"FAIL foreign-etcd m1: an etcd that drover did not make is there: etcd.service is active (/lib/systemd/system/etcd.service)",
				"FAIL foreign-kubernetes m1: a component of Kubernetes that drover did not make is there: kube-apiserver.service is active (/x)",
			},
		},
		"others' leftovers": {
			change: func(w *world) {
				for _, h := range []string{"m1", "n1"} { // etcd's data is a master's business
					w.on(h, func(f *survey.Facts) { f.Left.EtcdData = true })
				}
				w.on("n1", func(f *survey.Facts) { f.Left.Kubernetes = []string{"kubelet.conf", "manifests", "pki"} })
				w.on("n2", func(f *survey.Facts) {
					f.Left.Kubernetes = []string{"pki"}
					f.Left.CNI = []string{"10-bridge.conf", "10-calico.conflist", "87-podman.conflist"}
				})
			},
			want: []string{
				"FAIL foreign-etcd-data m1: /var/lib/etcd holds the data of an etcd that drover did not make",
				"FAIL foreign-kubernetes n1: /etc/kubernetes holds what drover did not write: kubelet.conf, manifests",
				"FAIL foreign-cni n2: /etc/cni/net.d has 10-bridge.conf, and pods would get their network from it instead of from Calico",
				"FAIL foreign-cni n2: /etc/cni/net.d has 10-calico.conflist, and pods would get their network from it instead of from Calico",
				"WARN foreign-cni n2: /etc/cni/net.d has 87-podman.conflist, and pods would get their network from it whenever Calico's file is not there",
			},
		},
		"what an interrupted run of drover's left": {
			change: func(w *world) {
				w.on("m1", func(f *survey.Facts) {
					f.Left = survey.Left{Kubernetes: []string{"scheduler.conf"}, CNI: []string{calicosCNI}, EtcdData: true}
					f.Drove = survey.Drove{Began: true, Etcd: true}
				})
			},
		},
	}
	maps.Copy(all, diskRows())
	maps.Copy(all, reachRows())
	return all
}

func diskRows() map[string]row {
	return map[string]row{
		"room at the threshold, and below": {
			change: func(w *world) {
				w.disk("n1", "/opt", func(d *survey.Disk) { d.Free = 1536 * mib })
				w.disk("n2", "/opt", func(d *survey.Disk) { d.Free = 1536*mib - 1 })
				w.disk("n2", "/var/lib/etcd", func(d *survey.Disk) { d.Free = 0 }) // no master
			},
			want: []string{
				"FAIL disk-free n2: 1.5 GiB is free on the file system at /opt; what goes into /opt needs 1.5 GiB",
				"WARN disk-free n1: 1.5 GiB is free on the file system at /opt; what goes into /opt needs 4.0 GiB",
			},
		},
		"room below what is comfortable": {
			change: func(w *world) { w.disk("m1", "/var/lib/etcd", func(d *survey.Disk) { d.Free = 10*gib - 1 }) },
			want:   []string{"WARN disk-free m1: 10.0 GiB is free on the file system at /var/lib/etcd; what goes into /var/lib/etcd needs 10.0 GiB"},
		},
		"one disk for all": {
			change: func(w *world) {
				w.on("n1", func(f *survey.Facts) {
					for i := range f.Disks {
						f.Disks[i].Mount, f.Disks[i].Source, f.Disks[i].Free = "/", "/dev/sda1", 5*gib
					}
					f.Disks[5].Mount = "/var/lib/containerd" // the same device, mounted again
				})
			},
			want: []string{"FAIL disk-free n1: 5.0 GiB is free on the file system at /; what goes into /, /var, /opt, /var/lib/kubelet, /var/lib/containerd needs 6.0 GiB"},
		},
		"a member's disks": {
			change: func(w *world) {
				w.member("n1")
				w.disk("n1", "/var", func(d *survey.Disk) { d.Free = 300 * mib })
				w.disk("n1", "/opt", func(d *survey.Disk) { d.Free = 1536*mib - 1 })
				w.disk("n1", "/var/lib/kubelet", func(d *survey.Disk) { d.Free = 64 * mib })
				w.disk("n1", "/var/lib/containerd", func(d *survey.Disk) { d.Free = 64*mib - 1 })
			},
			want: []string{
				"FAIL disk-free n1: 64.0 MiB is free on the file system at /var/lib/containerd; what goes into /var/lib/containerd needs 3.0 GiB",
				"WARN disk-free n1: 1.5 GiB is free on the file system at /opt; what goes into /opt needs 1.5 GiB",
				"WARN disk-free n1: 64.0 MiB is free on the file system at /var/lib/kubelet; what goes into /var/lib/kubelet needs 1.0 GiB",
			},
		},
		"inodes": {
			change: func(w *world) {
				w.disk("n1", "/var/lib/containerd", func(d *survey.Disk) { d.InodesFree = inodesWarn - 1 })
				w.disk("n1", "/opt", func(d *survey.Disk) { d.InodesFree = inodesFail })
				w.disk("n2", "/opt", func(d *survey.Disk) { d.InodesFree = inodesFail - 1 })
				w.disk("n2", "/var", func(d *survey.Disk) { d.Inodes, d.InodesFree = 0, 0 })
				w.member("m1")
				w.disk("m1", "/var/lib/containerd", func(d *survey.Disk) { d.InodesFree = inodesFail })
				w.disk("m1", "/opt", func(d *survey.Disk) { d.InodesFree = inodesFail - 1 })
			},
			want: []string{
				"FAIL inodes-free n2: 19999 inodes are free on the file system at /opt; what goes into /opt needs 20000",
				"WARN inodes-free m1: 19999 inodes are free on the file system at /opt; what goes into /opt needs 20000",
				"WARN inodes-free n1: 99999 inodes are free on the file system at /var/lib/containerd; what goes into /var/lib/containerd needs 100000",
			},
		},
	}
}
