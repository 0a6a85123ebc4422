package capacity

import (
	"slices"

	"github.com/droverctl/drover/inventory"
)

// Rule is a check as the reference tells of it. What a check emits under an ID is
// this rule applied: a test holds the two to each other.
type Rule struct {
	ID        string `json:"id"`
	Tier      int    `json:"tier"` // 0: the inventory alone; 1: facts of hosts, and the cluster's requests; 2: probes
	Judges    string `json:"judges"`
	Formula   string `json:"formula"`
	Threshold string `json:"threshold"` // unless the inventory sets another
	Source    string `json:"source"`    // whose threshold it is
	Example   string `json:"example"`
	// What the inventory may set: which of warn and fail, and in what unit.
	Settable []string `json:"settable,omitempty"`
	Unit     string   `json:"unit,omitempty"`
}

// Reference is every check there is, in the order in which they are made.
func Reference() []Rule {
	rules := slices.Concat(tier0Rules(), tier1Rules(), tier2Rules())
	for _, c := range inventory.CapacityChecks() {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == c.ID })
		if i < 0 {
			continue
		}
		rules[i].Unit = c.Unit
		for word, can := range map[string]bool{"warn": c.Warn, "fail": c.Fail} {
			if can {
				rules[i].Settable = append(rules[i].Settable, word)
			}
		}
		slices.Sort(rules[i].Settable)
	}
	return rules
}

// ruleOf is the rule of a check.
func ruleOf(id string) Rule {
	all := slices.Concat(tier0Rules(), tier1Rules(), tier2Rules())
	i := slices.IndexFunc(all, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		panic("capacity: the reference lacks the check " + id) // a check was added, and its rule forgotten
	}
	return all[i]
}

const (
	calicoIPAM = "Calico IPAM with strict affinity: a host uses its own blocks only"
	scaleSIG   = "Kubernetes SIG Scalability thresholds"
	kubeadm    = "kubeadm's validation"
	margin     = "80% is drover's margin"
)

func tier0Rules() []Rule {
	return []Rule{
		{
			ID: "master-count", Judges: "that a loss of masters is survived",
			Formula: "⌊(masters − 1) / 2⌋ may fail", Threshold: "3, 5 or 7; FAIL at 2, WARN at 1, at an even number and above 7",
			Source:  "etcd FAQ: cluster size",
			Example: "4 masters: ⌊3 / 2⌋ = 1 may fail, no more than of 3: WARN",
		}, {
			ID: "quorum-domain", Judges: "that the failure domains that may be lost do not take etcd's quorum with them",
			Formula: "masters in the largest failure domains that may be lost ≤ ⌊(masters − 1) / 2⌋", Threshold: "FAIL above; WARN where a master has no failure_domain",
			Source:  "etcd: a quorum is more than half of the members",
			Example: "3 masters, 2 of them on esx-01: 2 > ⌊2 / 2⌋ = 1: FAIL",
		}, {
			ID: "failure-domains", Judges: "that it is known where nodes are, while failure domains may be lost",
			Formula: "nodes without failure_domain, while failure domains may be lost", Threshold: "WARN above 0",
			Source:  "drover: capacity.tolerate",
			Example: "1 of 12 nodes without a failure domain: 1 > 0: WARN",
		}, {
			ID: "service-cidr", Judges: "the size of the services' network",
			Formula: "2^(32 − prefix length)", Threshold: "FAIL below 10 addresses and above 1048576 (/28 to /12)",
			Source:  kubeadm,
			Example: "a /29 has 2^3 = 8 addresses: 8 < 10: FAIL",
		}, {
			ID: "pod-blocks", Judges: "that the pod network has a block for all that hosts may run",
			Formula: "Σ ⌈max_pods / 2^(32 − block_size)⌉ ≤ 2^(block_size − prefix length)", Threshold: "FAIL above, WARN above four fifths",
			Source:  calicoIPAM + "; " + margin,
			Example: "9 hosts with 110 pods on /26: 9 × ⌈110 / 64⌉ = 18 > 16 blocks of a /22: FAIL",
		}, {
			ID: "pod-addresses-per-host", Judges: "that a host's own blocks hold its pods",
			Formula: "max_pods ≤ max_blocks_per_host × 2^(32 − block_size)", Threshold: "FAIL above",
			Source:  "Calico IPAM: at most 20 blocks on a host",
			Example: "110 pods on /30: 110 > 20 × 4 = 80: FAIL",
		}, {
			ID: "pods-per-host", Judges: "that no host has more pods than Kubernetes is tested with",
			Formula: "max_pods of the host with the most", Threshold: "WARN above 110",
			Source:  scaleSIG,
			Example: "max_pods 250: 250 > 110: WARN",
		}, {
			ID: "cluster-hosts", Judges: "that the cluster is not larger than Kubernetes is tested with",
			Formula: "masters + nodes", Threshold: "WARN above 5000",
			Source:  scaleSIG,
			Example: "3 masters + 4998 nodes: 5001 > 5000: WARN",
		}, {
			ID: "cluster-pods", Judges: "that no more pods are declared than Kubernetes is tested with",
			Formula: "Σ workload.replicas", Threshold: "WARN above 150000",
			Source:  scaleSIG,
			Example: "150001 declared pods: WARN",
		}, {
			ID: "mesh-size", Judges: "the full mesh of BGP sessions between hosts",
			Formula: "hosts in the mesh; sessions = hosts × (hosts − 1) / 2", Threshold: "FAIL above 100 hosts, WARN from 80",
			Source:  "Calico: full mesh up to about 100 nodes; the warning is drover's",
			Example: "101 hosts: 101 × 100 / 2 = 5050 sessions: FAIL",
		}, {
			ID: "route-reflectors", Judges: "that the loss of one failure domain does not take all route reflectors",
			Formula: "failure domains that hold a route reflector ≥ 2", Threshold: "WARN below 2, FAIL where those that are supposed to be lost hold all",
			Source:  "drover: the loss of one must not take all routes",
			Example: "2 route reflectors, both in esx-01: 1 < 2: WARN",
		}, {
			ID: "bigip-sessions", Judges: "that a BIG-IP holds a session with every host, where max_peers says what it holds",
			Formula: "one session per host ≤ max_peers", Threshold: "FAIL above, WARN above four fifths",
			Source:  "the inventory's max_peers; " + margin,
			Example: "81 hosts, max_peers 100: 81 > 80: WARN",
		}, {
			ID: "bigip-routes", Judges: "that a BIG-IP holds every route, where max_routes says what it holds",
			Formula: "Σ blocks of the hosts + 1 for service_cidr ≤ max_routes", Threshold: "FAIL above, WARN above four fifths",
			Source:  "the inventory's max_routes; " + margin,
			Example: "8 hosts with 2 blocks each: 8 × 2 + 1 = 17 > max_routes 16: FAIL",
		}, {
			ID: "workload-addresses", Judges: "that every declared pod finds an address",
			Formula: "Σ workload.replicas + coredns.replicas ≤ 2^(32 − prefix length)", Threshold: "FAIL above, WARN above four fifths",
			Source:  "one address per pod; " + margin,
			Example: "255 replicas + 2 of CoreDNS: 257 > 256 of a /24: FAIL",
		}, {
			ID: "workload-pods", Judges: "that every declared pod finds a place when the largest failure domains are lost that may be",
			Formula: "Σ replicas + coredns.replicas ≤ Σ (max_pods − 1) of untainted hosts outside of the largest failure domains that may be lost", Threshold: "FAIL above, WARN above four fifths",
			Source:  "the inventory's max_pods and tolerate; " + margin,
			Example: "3 nodes with 110 pods in 3 domains, 1 may be lost: 217 + 2 > 2 × 109 = 218: FAIL",
		},
	}
}
