package capacity

import (
	"slices"
	"testing"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/placement"
)

const (
	testGiB = int64(1) << 30
	testMiB = int64(1) << 20
)

// row1 is what tier 1 is given, and what a check makes of it: the worst that it
// emits, of the subject if one is named.
type row1 struct {
	name    string
	in      Inputs
	id      string
	subject string
	want    Status // "": no such check
}

// roomy is hosts with more than enough of everything: 16 cores, 64 GiB.
func roomy(masters []string, nodes int, changes ...func(*Inputs)) Inputs {
	c := sized(masters, nodes)
	c.Capacity.Profile = "standard"
	c.KubeProxy.Config = inventory.Settings{"conntrack": map[string]any{"maxPerCore": int64(0)}}
	in := Inputs{Cluster: c, Hosts: map[string]HostFacts{}}
	for _, h := range c.Hosts() {
		in.Hosts[h.Name] = HostFacts{
			CPUs: 16, Memory: 64 * testGiB, Surveyed: true, MTU: 1500, Conntrack: 1 << 20,
			Disks: []Disk{
				{Path: "/", Mount: "/", Source: "/dev/sda", Size: 100 * testGiB, Free: 80 * testGiB},
				{Path: "/var/lib/etcd", Mount: "/var/lib/etcd", Source: "/dev/sdb", Size: 50 * testGiB, Free: 49 * testGiB},
				{Path: "/var/lib/kubelet", Mount: "/", Source: "/dev/sda", Size: 100 * testGiB, Free: 80 * testGiB, Inodes: 1000, InodesFree: 900},
				{Path: "/var/lib/containerd", Mount: "/", Source: "/dev/sda", Size: 100 * testGiB, Free: 80 * testGiB, Inodes: 1000, InodesFree: 900},
			},
		}
	}
	for _, f := range changes {
		f(&in)
	}
	return in
}

func tier1Rows() []row1 {
	type change = func(*Inputs)
	on := func(host string, f func(*HostFacts)) change {
		return func(in *Inputs) {
			h := in.Hosts[host]
			f(&h)
			in.Hosts[host] = h
		}
	}
	everywhere := func(f func(*HostFacts)) change {
		return func(in *Inputs) {
			for name, h := range in.Hosts {
				f(&h)
				in.Hosts[name] = h
			}
		}
	}
	cores := func(n int) func(*HostFacts) { return func(f *HostFacts) { f.CPUs = n } }
	silent := func(f *HostFacts) {
		f.Silent, f.Allocatable = true, &Amount{16_000, 64 << 30}
		f.Node = &LiveNode{Labels: map[string]string{"kubernetes.io/os": "linux"}}
	}
	memory := func(n int64) func(*HostFacts) { return func(f *HostFacts) { f.Memory = n } }
	disk := func(path string, f func(*Disk)) func(*HostFacts) {
		return func(h *HostFacts) {
			disks := append([]Disk{}, h.Disks...)
			for i := range disks {
				if disks[i].Path == path {
					f(&disks[i])
				}
			}
			h.Disks = disks
		}
	}
	free := func(path string, n int64) func(*HostFacts) { return disk(path, func(d *Disk) { d.Free = n }) }
	inodes := func(n int64) func(*HostFacts) {
		return disk("/var/lib/kubelet", func(d *Disk) { d.InodesFree = n })
	}
	profile := func(name string) change { return func(in *Inputs) { in.Cluster.Capacity.Profile = name } }
	set := func(id string, warn, fail *float64) change {
		return func(in *Inputs) {
			in.Cluster.Capacity.Thresholds = []inventory.Threshold{{Check: id, Warn: warn, Fail: fail}}
		}
	}
	num := func(f float64) *float64 { return &f }
	kubelet := func(s inventory.Settings) change {
		return func(in *Inputs) {
			for i := range in.Cluster.KubeNodes {
				in.Cluster.KubeNodes[i].Kubelet.Config = s
			}
		}
	}
	workload := func(replicas int, cpu inventory.MilliCPU, memory int64) change {
		return func(in *Inputs) {
			in.Cluster.Capacity.Workloads = []inventory.Workload{{Name: "web", Replicas: replicas, CPU: cpu, Memory: inventory.Bytes(memory)}}
		}
	}
	running := func(cpu inventory.MilliCPU, memory int64) change {
		return func(in *Inputs) { in.Running = &Amount{cpu, inventory.Bytes(memory)} }
	}
	reservation := func(model string) change { return func(in *Inputs) { in.Cluster.Capacity.Reservation = model } }
	tolerate := func(n int) change { return func(in *Inputs) { in.Cluster.Capacity.Tolerate = n } }
	fivePlaces := func(in *Inputs) {
		for i := range in.Cluster.KubeNodes {
			in.Cluster.KubeNodes[i].Kubelet.MaxPods = 5
		}
	}
	away := func(name string) change {
		return func(in *Inputs) { delete(in.Hosts, name); in.Away = append(in.Away, name) }
	}
	three := func(nodes int, changes ...change) Inputs { return roomy(abc(), nodes, changes...) }
	return []row1{
		{"none away", three(1), "facts-missing", "", ""},
		{"1 away > 0", three(1, away("n1")), "facts-missing", "", Warn},

		{"1 core < 2 of kubeadm", three(1, on("m1", cores(1))), "master-cpu", "m1", Fail},
		{"2 cores = 2 of kubeadm, standard at 10 nodes", three(10, on("m1", cores(2))), "master-cpu", "m1", Pass},
		{"2 cores < 4, standard at 11 nodes", three(11, on("m1", cores(2))), "master-cpu", "m1", Warn},
		{"4 cores = 4, standard at 100 nodes", three(100, on("m1", cores(4))), "master-cpu", "m1", Pass},
		{"4 cores < 8, standard at 101 nodes", three(101, on("m1", cores(4))), "master-cpu", "m1", Warn},
		{"2 cores = 2, lean at 225 nodes", three(225, profile("lean"), on("m1", cores(2))), "master-cpu", "m1", Pass},
		{"2 cores < 4, lean at 226 nodes", three(226, profile("lean"), on("m1", cores(2))), "master-cpu", "m1", Warn},
		{"4 cores = 4, large at 24 nodes", three(24, profile("large"), on("m1", cores(4))), "master-cpu", "m1", Pass},
		{"4 cores < 8, large at 25 nodes", three(25, profile("large"), on("m1", cores(4))), "master-cpu", "m1", Warn},
		{"3 cores < 4 that the inventory sets", three(1, set("master-cpu", num(4), nil), on("m1", cores(3))), "master-cpu", "m1", Warn},
		{"3 cores < 4 that the inventory has FAIL", three(1, set("master-cpu", num(8), num(4)), on("m1", cores(3))), "master-cpu", "m1", Fail},
		{"a node's cores are no master's", three(1, on("n1", cores(1))), "master-cpu", "", Pass},
		{"nothing is known of it", three(1, on("m1", cores(0))), "master-cpu", "m1", ""},

		{"1699 MiB < 1700 of kubeadm", three(1, on("m1", memory(1699*testMiB))), "master-memory", "m1", Fail},
		{"1700 MiB = 1700 of kubeadm, < 3.75 GB", three(1, on("m1", memory(1700*testMiB))), "master-memory", "m1", Warn},
		{"7.5 GB = 7.5, standard at 10 nodes", three(10, on("m1", memory(7_500_000_000))), "master-memory", "m1", Pass},
		{"7.5 GB - 1 MiB < 7.5, standard at 10 nodes", three(10, on("m1", memory(7_500_000_000-testMiB))), "master-memory", "m1", Warn},
		{"16 GB = 16, large at 24 nodes", three(24, profile("large"), on("m1", memory(16_000_000_000))), "master-memory", "m1", Pass},
		{"16 GB < 32, large at 25 nodes", three(25, profile("large"), on("m1", memory(16_000_000_000))), "master-memory", "m1", Warn},

		{"110 pods = 10 × 11 cores", three(1, on("n1", cores(11))), "node-pods", "n1", Pass},
		{"110 pods > 10 × 10 cores", three(1, on("n1", cores(10))), "node-pods", "n1", Warn},
		{"110 pods ≤ min(110, 10 × 64 cores)", three(1, on("n1", cores(64))), "node-pods", "n1", Pass},

		{"250m - 250m for DaemonSets = 0", three(1, on("n1", func(f *HostFacts) { f.Allocatable = &Amount{250, 1 << 30} })), "node-allocatable", "n1", Fail},
		{"251m - 250m for DaemonSets > 0", three(1, on("n1", func(f *HostFacts) { f.Allocatable = &Amount{251, 1 << 30} })), "node-allocatable", "n1", Pass},
		{"100 MiB - evictionHard 100 MiB = 0", three(1, on("n1", memory(100*testMiB))), "node-allocatable", "n1", Fail},
		{"101 MiB - evictionHard 100 MiB > 0", three(1, on("n1", memory(101*testMiB))), "node-allocatable", "n1", Pass},
		{"100 MiB > 0, for which the kubelet evicts nothing", three(1, on("n1", memory(100*testMiB)), kubelet(inventory.Settings{"evictionHard": map[string]any{"memory.available": nil}})), "node-allocatable", "n1", Pass},
		{"64 GiB - kubeReserved 63 GiB - systemReserved 1 GiB - 100 MiB < 0", three(1, kubelet(inventory.Settings{
			"kubeReserved": map[string]any{"memory": "63Gi"}, "systemReserved": map[string]any{"memory": "1Gi"},
		})), "node-allocatable", "n1", Fail},
		{"64 GiB - evictionHard 99% > 0", three(1, kubelet(inventory.Settings{"evictionHard": map[string]any{"memory.available": "99%"}})), "node-allocatable", "n1", Pass},
		{"16 cores - kubeReserved 15750m - 250m = 0", three(1, kubelet(inventory.Settings{"kubeReserved": map[string]any{"cpu": "15750m"}})), "node-allocatable", "n1", Fail},
		{"16 cores - kubeReserved 15 - 250m > 0", three(1, kubelet(inventory.Settings{"kubeReserved": map[string]any{"cpu": int64(15)}})), "node-allocatable", "n1", Pass},

		// gdc keeps 80m + 16 × 10m = 240m, and 330 MiB + 5 % of 64 GiB = 3606.8 MiB.
		{"16 cores - 15510m given - 240m of gdc in all - 250m = 0", three(1, reservation("gdc"), kubelet(inventory.Settings{"systemReserved": map[string]any{"cpu": "15750m"}})), "node-allocatable", "n1", Fail},
		{"490m - 240m of gdc - 250m = 0, although the cluster still says 490m", three(1, reservation("gdc"), on("n1", func(f *HostFacts) { f.CPUs, f.Allocatable = 0, &Amount{490, 1 << 30} })), "node-allocatable", "n1", Pass},
		{"1 core - 90m of gdc - 250m > 0, although the cluster says 100m", three(1, reservation("gdc"), on("n1", func(f *HostFacts) { f.CPUs, f.Allocatable = 1, &Amount{100, 1 << 30} })), "node-allocatable", "n1", Pass},
		{"64 GiB - 3.6 GiB of gdc and to evict - 61 GiB of huge pages < 0", three(1, reservation("gdc"), on("n1", func(f *HostFacts) { f.Huge, f.Allocatable = 61*testGiB, &Amount{16_000, 64 << 30} })), "node-allocatable", "n1", Fail},
		{"64 GiB - 3.6 GiB of gdc and to evict - 60 GiB of huge pages > 0", three(1, reservation("gdc"), on("n1", func(f *HostFacts) { f.Huge, f.Allocatable = 60*testGiB, &Amount{16_000, 64 << 30} })), "node-allocatable", "n1", Pass},
		{"430 MiB - 330 MiB and 5 % of gdc - 100 MiB < 0", three(1, reservation("gdc"), on("n1", memory(430*testMiB))), "node-allocatable", "n1", Fail},
		{"430 MiB - 100 MiB > 0 without a model", three(1, reservation("none"), on("n1", memory(430*testMiB))), "node-allocatable", "n1", Pass},
		{"430 MiB - 1 MiB that the kubelet is told - 100 MiB > 0, whatever gdc says", three(1, reservation("gdc"), on("n1", memory(430*testMiB)), kubelet(inventory.Settings{"kubeReserved": map[string]any{"memory": "1Mi"}})), "node-allocatable", "n1", Pass},

		{"15750m = 16 - 0.25 CPU", three(3, workload(1, 15_750, testGiB)), "workload-fits", "web", Pass},
		{"15751m > 16 - 0.25 CPU", three(3, workload(1, 15_751, testGiB)), "workload-fits", "web", Fail},
		{"65 GiB > 64", three(3, workload(1, 1, 65*testGiB)), "workload-fits", "web", Fail},
		{"on 1 domain, 1 may be lost", three(3, workload(1, 14_000, testGiB), on("n1", cores(8)), on("n2", cores(8))), "workload-fits", "web", Warn},
		{"on 2 domains, 1 may be lost", three(3, workload(1, 14_000, testGiB), on("n1", cores(8))), "workload-fits", "web", Pass},
		{"CPU on one and memory on another are no host", three(2, workload(1, 12_000, 32*testGiB), on("n1", cores(8)), on("n2", memory(16*testGiB))), "workload-fits", "web", Fail},
		{"a tainted host counts for none", three(1, workload(1, 1, testGiB), func(in *Inputs) {
			in.Cluster.KubeNodes[0].Taints = []inventory.Taint{{Key: "gpu", Effect: "NoSchedule"}}
		}), "workload-fits", "web", ""},
		{"none of those seen, one unseen", three(3, workload(1, 20_000, testGiB), away("n1")), "workload-fits", "web", Warn},

		{"nothing asks", three(3), "headroom-cpu", "", ""},
		{"80% of 2 × 15.75 CPU = 25.2", three(3, workload(252, 100, testMiB)), "headroom-cpu", "", Pass},
		{"25.3 > 80% of 2 × 15.75 CPU", three(3, workload(253, 100, testMiB)), "headroom-cpu", "", Warn},
		{"31.5 = 2 × 15.75 CPU", three(3, workload(315, 100, testMiB)), "headroom-cpu", "", Warn},
		{"31.6 > 2 × 15.75 CPU", three(3, workload(316, 100, testMiB)), "headroom-cpu", "", Fail},
		{"31.6 < 3 × 15.75 CPU, none may be lost", three(3, tolerate(0), workload(316, 100, testMiB)), "headroom-cpu", "", Pass},
		{"the running ask for more: 32 > 31.5 in sum, for which only placement FAILs", three(3, running(32_000, 0)), "headroom-cpu", "", Warn},
		{"16 of 40 run on a tainted host of their own, 24 < 25.2", three(3, running(40_000, 0), func(in *Inputs) {
			in.RunningOn = map[string]Amount{"m1": {CPU: 16_000}}
		}), "headroom-cpu", "", Pass},
		{"2 declared CPU and no host for them", three(0, workload(2, 1000, testMiB)), "headroom-cpu", "", Fail},
		{"2 pods wait and no host is for them", three(0, waiting(2)), "headroom-cpu", "", Fail},
		{"2 pods wait for a host that none is", three(3, waiting(2), func(in *Inputs) {
			in.Pods[0].NodeSelector = map[string]string{"gpu": "yes"}
		}), "headroom-cpu", "", Warn},
		{"the running ask for 20 < 25.2", three(3, running(20_000, 0)), "headroom-cpu", "", Pass},
		{"declared 31.6 > 31.5, running 1", three(3, workload(316, 100, testMiB), running(1000, 0)), "headroom-cpu", "", Fail},
		{"25.2 is above 75% of 31.5, as is set", three(3, workload(252, 100, testMiB), set("headroom-cpu", num(75), nil)), "headroom-cpu", "", Warn},
		{"31.6 > 1 × 15.75, but one was not looked at", three(3, workload(316, 100, testMiB), away("n1")), "headroom-cpu", "", Warn},
		{"20 > 1 × 15.75, for of one nothing is heard", three(3, workload(20, 1000, testMiB), on("n1", silent)), "headroom-cpu", "", Fail},
		{"16 > 1 × 15.75, for nothing is heard of n1", three(2, tolerate(0), workload(16, 1000, testMiB), on("n1", silent)), "workload-fits", "web", Fail},
		{"what ran on n1 has no place when n2 is lost as well", three(3, runningPods3(10_500, "n3"), on("n1", silent)), "headroom-cpu", "", Fail},
		{"what ran on n1 has a place on n3", three(3, tolerate(0), runningPods3(10_500, "n3"), on("n1", silent)), "headroom-cpu", "", Pass},
		{"126 GiB < 2 × (64 GiB - 100 MiB), > 80%", three(3, workload(126, 1, testGiB)), "headroom-memory", "", Warn},
		{"127 GiB < 2 × (64 GiB - 100 MiB), but 2 × 63 pods of 1 GiB find a place", three(3, workload(127, 1, testGiB)), "headroom-memory", "", Fail},
		{"31.5 = 2 × 15.75 CPU in sum, but 3 pods of 10.5 and 1 on each of 2", three(3, workload(3, 10_500, testMiB)), "headroom-cpu", "", Fail},
		{"2 × 10.5 CPU, 1 on each of 2 × 15.75", three(3, workload(2, 10_500, testMiB)), "headroom-cpu", "", Pass},
		{"running where there is room for 2, and 3 run", three(3, runningPods3(10_500)), "headroom-cpu", "", Fail},
		{"running where there is room for 2, and 2 run", three(3, runningPods3(10_500, "n3")), "headroom-cpu", "", Pass},
		{"3 pods of 10 CPU on 3 hosts, 1 on each", three(3, tolerate(0), workload(3, 10_000, testMiB)), "workload-fits", "web", Pass},
		{"4 pods of 10 CPU on 3 hosts, 1 on each", three(3, tolerate(0), workload(4, 10_000, testMiB)), "workload-fits", "web", Fail},
		{"330 pods are what max_pods has", three(3, tolerate(0), workload(331, 1, testMiB)), "workload-fits", "web", Pass},
		{"102 GiB < 80% of 2 × (64 GiB - 100 MiB)", three(3, workload(102, 1, testGiB)), "headroom-memory", "", Pass},
		{"128 GiB > 2 × (64 GiB - 100 MiB)", three(3, workload(128, 1, testGiB)), "headroom-memory", "", Fail},
		{"10 run = 2 × 5 places", three(3, fivePlaces, waiting(10)), "headroom-pods", "", Pass},
		{"11 run > 2 × 5 places", three(3, fivePlaces, waiting(11)), "headroom-pods", "", Fail},
		{"15 run = 3 × 5 places, none may be lost", three(3, tolerate(0), fivePlaces, waiting(15)), "headroom-pods", "", Pass},
		{"16 run > 3 × 5 places, none may be lost", three(3, tolerate(0), fivePlaces, waiting(16)), "headroom-pods", "", Fail},
		{"11 run > 2 × 5 places, but one was not looked at", three(4, fivePlaces, waiting(11), away("n1")), "headroom-pods", "", Warn},
		{"what is declared is not what runs", three(3, fivePlaces, workload(11, 100, testMiB)), "headroom-pods", "", ""},
		{"128 GiB > 1 × (64 GiB - 100 MiB) of the domain left", three(2, workload(64, 1, testGiB)), "headroom-memory", "", Fail},

		{"10% of nodefs = 10%", three(1, on("n1", free("/var/lib/kubelet", 10*testGiB))), "node-disk", "n1", Warn},
		{"9% of nodefs < 10%", three(1, on("n1", free("/var/lib/kubelet", 9*testGiB))), "node-disk", "n1", Fail},
		{"15% of imagefs = 15%", three(1, on("n1", free("/var/lib/containerd", 15*testGiB))), "node-disk", "n1", Warn},
		{"14% of imagefs < 15%", three(1, on("n1", free("/var/lib/containerd", 14*testGiB))), "node-disk", "n1", Fail},
		{"1% ≥ 0, for which the kubelet evicts nothing", three(1, kubelet(inventory.Settings{"evictionHard": map[string]any{"nodefs.available": nil}}), on("n1", free("/var/lib/kubelet", testGiB))), "node-disk", "n1", Warn},
		{"9% < 10% of the kubelet's, whose own null leaves", three(1, kubelet(inventory.Settings{"evictionHard": nil}), on("n1", free("/var/lib/kubelet", 9*testGiB))), "node-disk", "n1", Fail},
		{"9% < 10% of the kubelet's, which adds its own", three(1, kubelet(inventory.Settings{"evictionHard": map[string]any{"nodefs.available": nil}, "mergeDefaultEvictionSettings": true}), on("n1", free("/var/lib/kubelet", 9*testGiB))), "node-disk", "n1", Fail},
		{"19 GiB < 20 GiB as a number", three(1, kubelet(inventory.Settings{"evictionHard": map[string]any{"nodefs.available": 20 * testGiB}}), on("n1", free("/var/lib/kubelet", 19*testGiB))), "node-disk", "n1", Fail},
		{"9% ≥ 0: 100% is none", three(1, kubelet(inventory.Settings{"evictionHard": map[string]any{"nodefs.available": "100%"}}), on("n1", free("/var/lib/kubelet", 9*testGiB))), "node-disk", "n1", Warn},
		{"9% of nodefs of one of which nothing is heard", three(1, on("n1", silent), on("n1", free("/var/lib/kubelet", 9*testGiB))), "node-disk", "n1", Fail},
		{"40% = 40%", three(1, on("n1", free("/var/lib/kubelet", 40*testGiB))), "node-disk", "n1", Pass},
		{"39% of nodefs < 40%, though imagefs is nearer to where the kubelet evicts", three(1, on("n1", free("/var/lib/kubelet", 39*testGiB)), on("n1", free("/var/lib/containerd", 41*testGiB))), "node-disk", "n1", Warn},
		{"39% < 40%", three(1, on("n1", free("/var/lib/kubelet", 39*testGiB))), "node-disk", "n1", Warn},
		{"9% ≥ 1% of the kubelet's", three(1, kubelet(inventory.Settings{"evictionHard": map[string]any{"nodefs.available": "1%"}}), on("n1", free("/var/lib/kubelet", 9*testGiB))), "node-disk", "n1", Warn},
		{"19 GiB < 20Gi of the kubelet's", three(1, kubelet(inventory.Settings{"evictionHard": map[string]any{"nodefs.available": "20Gi"}}), on("n1", free("/var/lib/kubelet", 19*testGiB))), "node-disk", "n1", Fail},
		{"30% < 35% that the inventory has FAIL", three(1, set("node-disk", nil, num(35)), on("n1", free("/var/lib/kubelet", 30*testGiB))), "node-disk", "n1", Fail},

		{"50 of 1000 = 5%", three(1, on("n1", inodes(50))), "node-inodes", "n1", Warn},
		{"49 of 1000 < 5%", three(1, on("n1", inodes(49))), "node-inodes", "n1", Fail},
		{"150 of 1000 = 15%", three(1, on("n1", inodes(150))), "node-inodes", "n1", Pass},
		{"149 of 1000 < 15%", three(1, on("n1", inodes(149))), "node-inodes", "n1", Warn},
		{"no such limit", three(1, on("n1", func(f *HostFacts) { f.Disks = f.Disks[:2] })), "node-inodes", "n1", ""},

		{"24 GiB = 3 × 8 GiB", three(1, on("m1", free("/var/lib/etcd", 24*testGiB))), "etcd-disk", "m1", Pass},
		{"24 GiB - 1 < 3 × 8 GiB", three(1, on("m1", free("/var/lib/etcd", 24*testGiB-1))), "etcd-disk", "m1", Warn},
		{"6 GiB = 3 × 2 GiB", three(1, func(in *Inputs) {
			in.Cluster.Etcd.ExtraArgs = inventory.Args{"quota-backend-bytes": {"2147483648"}}
		}, on("m1", free("/var/lib/etcd", 6*testGiB))), "etcd-disk", "m1", Pass},
		{"16 GiB = 2 × 8 GiB, as is set", three(1, set("etcd-disk", num(2), nil), on("m1", free("/var/lib/etcd", 16*testGiB))), "etcd-disk", "m1", Pass},
		{"on the device of /", three(1, on("m1", disk("/var/lib/etcd", func(d *Disk) { d.Mount, d.Source = "/", "/dev/sda" }))), "etcd-disk", "m1", Warn},

		{"0 = 0", three(1), "node-swap", "n1", Pass},
		{"1 GiB > 0", three(1, on("n1", func(f *HostFacts) { f.Swap = testGiB })), "node-swap", "n1", Warn},
		{"not looked at", three(1, everywhere(func(f *HostFacts) { f.Surveyed = false })), "node-swap", "", ""},

		{"1500 = 1500", three(1), "node-mtu", "n1", Pass},
		{"1400 < 1500 of the others", three(1, on("n1", func(f *HostFacts) { f.MTU = 1400 })), "node-mtu", "n1", Warn},
		{"9000 > 1500 of the others", three(1, on("n1", func(f *HostFacts) { f.MTU = 9000 })), "node-mtu", "n1", Warn},

		{"524288 = 32768 × 16", three(1, on("n1", func(f *HostFacts) { f.Conntrack = 524_288 })), "node-conntrack", "n1", Pass},
		{"524287 < 32768 × 16", three(1, on("n1", func(f *HostFacts) { f.Conntrack = 524_287 })), "node-conntrack", "n1", Warn},
		{"131072 = the least, with 2 cores", three(1, on("n1", func(f *HostFacts) { f.CPUs, f.Conntrack = 2, 131_072 })), "node-conntrack", "n1", Pass},
		{"131071 < the least, with 2 cores", three(1, on("n1", func(f *HostFacts) { f.CPUs, f.Conntrack = 2, 131_071 })), "node-conntrack", "n1", Warn},
		{"kube-proxy sets it", three(1, func(in *Inputs) { in.Cluster.KubeProxy.Config = nil }), "node-conntrack", "", ""},
	}
}

// Every threshold of tier 1: at it, below and above.
func TestTier1Thresholds(t *testing.T) {
	for _, test := range tier1Rows() {
		t.Run(test.id+"/"+test.name, func(t *testing.T) {
			var got []Check
			var worst Status
			for _, c := range Tier1(test.in) {
				checkFields(t, c)
				if c.ID != test.id {
					continue
				}
				got = append(got, c)
				if c.Subject == test.subject || test.subject == "" {
					worst = worse(worst, c.Status)
					if worst == "" {
						worst = c.Status
					}
				}
			}
			if worst == "" && test.want == Pass && len(got) == 1 && got[0].Status == Pass { // told together with the others
				return
			}
			if worst != test.want {
				t.Errorf("want %q, got %q: %+v", test.want, worst, got)
			}
		})
	}
}

// Of five thousand hosts that are well one line is told, and each that is not.
func TestHostsAreToldTogether(t *testing.T) {
	in := roomy(abc(), 4997)
	f := in.Hosts["n7"]
	f.Swap = testGiB
	in.Hosts["n7"] = f
	checks := Tier1(in)
	if len(checks) > 20 {
		t.Errorf("%d checks", len(checks))
	}
	for _, c := range checks {
		if c.ID == "node-swap" && c.Status == Warn && c.Subject == "n7" {
			return
		}
	}
	t.Error("n7's swap was not told")
}

// waiting are so many pods of 100m that no host runs.
func waiting(n int) func(*Inputs) {
	return func(in *Inputs) {
		in.Pods = []placement.Workload{{Name: "ns/dns", Replicas: n, Requests: placement.Resources{CPU: 100}}}
		in.Running = &Amount{inventory.MilliCPU(100 * n), 0}
	}
}

// runningPods3 is a pod of so much CPU on each of three nodes but one.
func runningPods3(cpu inventory.MilliCPU, but ...string) func(*Inputs) {
	return func(in *Inputs) {
		w := placement.Workload{Name: "ns/web", Requests: placement.Resources{CPU: int64(cpu), Memory: testMiB}, Running: map[string]int{}}
		for _, h := range in.Cluster.KubeNodes {
			if !slices.Contains(but, h.Name) {
				w.Replicas++
				w.Running[h.Name] = 1
			}
		}
		in.Pods, in.Running = []placement.Workload{w}, &Amount{cpu * inventory.MilliCPU(w.Replicas), 0}
	}
}
