package capacity

func tier1Rules() []Rule {
	return []Rule{
		{
			ID: "facts-missing", Tier: 1, Judges: "that every host could be asked what it is",
			Formula: "hosts that could not be asked", Threshold: "WARN above 0",
			Source:  "drover: what was not looked at is not well for that",
			Example: "1 of 15 hosts does not answer: 1 > 0: WARN",
		}, {
			ID: "master-cpu", Tier: 1, Judges: "the cores of a master, for the nodes there will be",
			Formula: "cores ≥ those of the profile (lean, standard, large) at nodes after the change", Threshold: "WARN below the profile, FAIL below 2",
			Source:  "kubeadm's preflight (FAIL); the profile's own table (WARN): RKE2, kube-up on GCE, OpenShift 4.10",
			Example: "2 cores, profile standard, 11 nodes: 2 < 4: WARN",
		}, {
			ID: "master-memory", Tier: 1, Judges: "the memory of a master, for the nodes there will be",
			Formula: "memory ≥ that of the profile (lean, standard, large) at nodes after the change", Threshold: "WARN below the profile, FAIL below 1700 MiB",
			Source:  "kubeadm's preflight (FAIL); the profile's own table (WARN): RKE2, kube-up on GCE, OpenShift 4.10",
			Example: "8 GB, profile standard, 11 nodes: 8 GB < 15 GB: WARN",
		}, {
			ID: "node-pods", Tier: 1, Judges: "that a host has the cores for its pods",
			Formula: "max_pods ≤ min(110, 10 × cores)", Threshold: "WARN above",
			Source:  scaleSIG,
			Example: "110 pods with 4 cores: 110 > min(110, 40) = 40: WARN",
		}, {
			ID: "node-allocatable", Tier: 1, Judges: "that a host has room for more than what runs on every host",
			Formula: "capacity − kubeReserved − systemReserved − evictionHard − what DaemonSets that it admits and its static pods ask for > 0", Threshold: "FAIL at 0 and below",
			Source:  "Kubernetes: node allocatable; the inventory's reservation (none: what is said of the kubelet); Calico's release asks for 250m on every host",
			Example: "2 GiB, of which 2 GiB are reserved and 100 MiB evict: −100 MiB: FAIL",
		}, {
			ID: "workload-fits", Tier: 1, Judges: "that some host can take one pod of a workload, and all hosts all of them",
			Formula: "hosts with allocatable − DaemonSets ≥ what one pod asks for; pods placed as kube-scheduler would, in the worst order found = replicas", Threshold: "FAIL at 0 hosts and where a pod finds no place, WARN where all hosts are in failure domains that may be lost",
			Source:  "kube-scheduler: a pod runs on one node; its filters and scores",
			Example: "a pod asks for 8 CPU, the largest host has 7.75 left: 0 hosts: FAIL",
		}, {
			ID: "headroom-cpu", Tier: 1, Judges: "that what is left of CPU holds all pods when those failure domains are lost that may be and leave the least",
			Formula: "Σ declared ≤ Σ (allocatable − DaemonSets) of untainted hosts outside of them, and each pod, declared or running, placed as kube-scheduler would", Threshold: "FAIL above and where a pod finds no place for want of it, or of any host for it, WARN above 80%, of what runs as well, and where pods find places only just",
			Source:  "kube-scheduler: its sums, filters and scores; the inventory's tolerate; " + margin,
			Example: "3 nodes of 4 CPU in 3 domains, 1 may be lost: 8 > 2 × 3.75 = 7.5: FAIL",
		}, {
			ID: "headroom-memory", Tier: 1, Judges: "that what is left of memory holds all pods when those failure domains are lost that may be and leave the least",
			Formula: "Σ declared ≤ Σ (allocatable − DaemonSets) of untainted hosts outside of them, and each pod, declared or running, placed as kube-scheduler would", Threshold: "FAIL above and where a pod finds no place for want of it, or of any host for it, WARN above 80%, of what runs as well, and where pods find places only just",
			Source:  "kube-scheduler: its sums, filters and scores; the inventory's tolerate; " + margin,
			Example: "3 nodes of 8 GiB in 3 domains, 1 may be lost: 16 GiB > 2 × 7.9 GiB: FAIL",
		}, {
			ID: "headroom-pods", Tier: 1, Judges: "that max_pods of what is left bears all pods that run when those failure domains are lost that may be and leave the least",
			Formula: "running pods, placed as kube-scheduler would, that find no place as hosts have max_pods already", Threshold: "FAIL above 0",
			Source:  "kube-scheduler: its filters; the inventory's max_pods and tolerate",
			Example: "3 nodes of 110 pods in 3 domains, 1 may be lost, and 221 pods run: 221 − 2 × 110 = 1: FAIL",
		}, {
			ID: "node-disk", Tier: 1, Judges: "the room for pods and images",
			Formula: "free / size of the file systems of /var/lib/kubelet and /var/lib/containerd", Threshold: "FAIL below the kubelet's evictionHard (10% and 15% unless configured), WARN below 40%",
			Source:  "kubelet: nodefs.available, imagefs.available (FAIL); kURL: more than 60% used (WARN)",
			Example: "14 GiB of 100 GiB free at /var/lib/containerd: 14% < 15%: FAIL",
		}, {
			ID: "node-inodes", Tier: 1, Judges: "the inodes for pods and images",
			Formula: "free / all inodes of the file systems of /var/lib/kubelet and /var/lib/containerd", Threshold: "FAIL below the kubelet's evictionHard (5% unless configured), WARN below 15%",
			Source:  "kubelet: nodefs.inodesFree, imagefs.inodesFree (FAIL); the warning is drover's",
			Example: "40000 of 1000000 inodes free: 4% < 5%: FAIL",
		}, {
			ID: "etcd-disk", Tier: 1, Judges: "the room for etcd's data, and that it has a device of its own",
			Formula: "free at /var/lib/etcd ≥ 3 × quota-backend-bytes, on another device than /", Threshold: "WARN below, or on the device of /",
			Source:  "drover: a database is defragmented and restored beside itself",
			Example: "20 GiB free, quota 8 GiB: 20 < 24: WARN",
		}, {
			ID: "node-swap", Tier: 1, Judges: "that nothing is swapped out",
			Formula: "bytes of swap that are on", Threshold: "WARN above 0",
			Source:  "Kubernetes: swap memory management",
			Example: "2 GiB of swap are on: WARN",
		}, {
			ID: "node-mtu", Tier: 1, Judges: "that hosts have one MTU",
			Formula: "MTU of the interface with the host's address = that of most hosts", Threshold: "WARN when another",
			Source:  "Calico: without encapsulation pods have their host's",
			Example: "MTU 1500, the others have 9000: WARN",
		}, {
			ID: "node-conntrack", Tier: 1, Judges: "the kernel's limit of connections, where kube-proxy was told to leave it",
			Formula: "nf_conntrack_max ≥ max(32768 × cores, 131072)", Threshold: "WARN below",
			Source:  "kube-proxy: conntrack.maxPerCore and conntrack.min",
			Example: "65536 entries with 4 cores: 65536 < 131072: WARN",
		},
	}
}
