package fleetbench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// A shortage of each kind is told by the lowest tier that can know it, with its numbers,
// and by apply before it has changed anything on a host or in the API.
func TestEachShortageIsCaughtFirst(t *testing.T) {
	t.Parallel()
	apart := []string{"esx-01", "esx-02", "esx-03", "esx-01", "esx-02"} // the hosts, in turn
	for _, test := range []struct {
		name     string
		tier     int
		replace  []string // in the inventory
		settings string
		domains  []string
		slow     string // the host with a slow disk
		want     []string
	}{
		{
			name: "pod CIDR with too few blocks", tier: 0, replace: []string{"10.128.0.0/9", "10.128.0.0/23"}, domains: apart,
			want: []string{"FAIL  pod-blocks\n", "10 blocks of /26 for 5 hosts (threshold: 8 blocks in 10.128.0.0/23, warning above 6)"},
		},
		{
			name: "110 pods on 1 block allowed", tier: 0, settings: "calico { max_blocks_per_host = 1 }\n", domains: apart,
			want: []string{"FAIL  pod-addresses-per-host\n", "max_pods 110 on kube-master-1 (threshold: 64 addresses in 1 block)"},
		},
		{
			name: "service CIDR full", tier: 0, replace: []string{"10.101.0.0/16", "10.101.0.0/29"}, domains: apart,
			want: []string{"FAIL  service-cidr\n", "10.101.0.0/29 has 8 addresses (threshold: 10 to 1048576 addresses (/28 to /12))"},
		},
		{
			name: "2 masters on one hypervisor", tier: 0, domains: []string{"esx-01", "esx-01", "esx-02", "esx-02", "esx-03"},
			want: []string{"FAIL  quorum-domain\n", "2 of 3 masters in failure domain esx-01 (threshold: 1)"},
		},
		{
			name: "memory short without one domain", tier: 1, domains: apart,
			settings: "capacity {\n  workload \"web\" {\n    replicas = 8\n    cpu = \"100m\"\n    memory = \"1Gi\"\n  }\n}\n",
			want: []string{
				"FAIL  headroom-memory\n", "declared workloads ask for 8.0 GiB; 1 of 8 declared pods find no place without failure domain esx-01, as of web: ",
				"it asks for 1 GiB, the largest free is 544.5 MiB on kube-node-2 (threshold: 7.5 GiB without failure domain esx-01, warning above 80%)",
			},
		},
		{
			name: "more BGP sessions than the BIG-IP has", tier: 0, domains: apart,
			settings: "bigip \"f5-a\" {\n  peer_address = \"10.90.9.5\"\n  max_peers    = 4\n}\n",
			want:     []string{"FAIL  bigip-sessions  f5-a\n", "5 BGP sessions (threshold: 4, warning above 3)"},
		},
		{
			name: "etcd on a slow disk", tier: 2, domains: apart, slow: "kube-master-2",
			want: []string{"FAIL  etcd-fsync  kube-master-2\n", "99% of 200 writes took at most 25 ms (threshold: "},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 2})
			f.Settings = test.settings
			f.Add(0)
			rewrite(t, f, append(test.replace, inDomains(f, test.domains)...)...)
			if test.slow != "" {
				f.Host(test.slow).Machine.HandleScript("# drover measure", slowly)
			}
			before, writes := dumps(f), f.Writes()
			for tier := range test.tier {
				saysNot(t, said(t, f, 0, "capacity", "--tier", strconv.Itoa(tier)), "FAIL  ")
			}
			says(t, said(t, f, 3, "capacity", "--tier", strconv.Itoa(test.tier)), test.want...)
			if test.tier < 2 { // apply measures nothing
				says(t, said(t, f, 3, "apply", "--auto-approve"), append(test.want, "the cluster would not hold what it must, so nothing was touched")...)
			}
			if dumps(f) != before || f.Writes() != writes {
				t.Errorf("something was touched: %d requests to change", f.Writes()-writes)
			}
		})
	}
}

// inDomains are replacements that put a fleet's hosts in failure domains.
func inDomains(f *fleettest.Fleet, domains []string) []string {
	var pairs []string
	for i, h := range f.Hosts {
		line := "address = " + strconv.Quote(h.Address) + "\n"
		pairs = append(pairs, line, line+"  failure_domain = "+strconv.Quote(domains[i])+"\n")
	}
	return pairs
}

// rewrite changes a fleet's inventory; each text has to be there.
func rewrite(t *testing.T, f *fleettest.Fleet, pairs ...string) {
	t.Helper()
	name := filepath.Join(f.Dir, "inventory.hcl")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			t.Fatalf("the inventory has no %q:\n%s", pairs[i], text)
		}
	}
	if err := os.WriteFile(name, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A disk of which no write comes back, and a master that answers no packet, are told of as
// what was not measured, each by its check; what else was measured is told all the same.
func TestWhatIsNotMeasuredWarns(t *testing.T) {
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 2})
	f.Add(0)
	section := func(name, body string) string { return "@@drover-measure@@ " + name + "\n" + body }
	peers := section("ping 10.90.9.1", "") + section("ping 10.90.9.2", "")
	f.Host("kube-master-2").Machine.HandleScript("# drover measure", func(*hosttest.State, hosttest.Call) host.Result {
		return host.Result{Stdout: []byte(section("before", "cpu  100 0 100 700 0 0 0 0 0 0\n") + section("writes", "") + peers +
			section("after", "cpu  150 0 150 700 0 0 0 100 0 0\n") + section("end", ""))}
	})
	f.Host("kube-master-3").Machine.HandleScript("# drover measure", func(*hosttest.State, hosttest.Call) host.Result { return host.Result{Exit: 1} })
	says(t, said(t, f, 0, "capacity", "--tier", "2"),
		"WARN  etcd-fsync  kube-master-2\n", "not measured: 0 of 200 writes to the disk of /var/lib/etcd were made",
		"WARN  master-rtt  kube-master-2\n", "not measured: none of 40 packets was answered",
		"WARN  host-steal  kube-master-2\n", "WARN  etcd-fsync  kube-master-3\n", "WARN  master-rtt  kube-master-3\n")
	said(t, f, 4, "capacity", "--tier", "2", "--fail-on", "warn")
}

// slowly plays a measurement of a disk that takes 25 ms for a write.
func slowly(*hosttest.State, hosttest.Call) host.Result {
	section := func(name, body string) string { return "@@drover-measure@@ " + name + "\n" + body }
	return host.Result{Stdout: []byte(section("before", "cpu  100 0 100 700 0 0 0 100 0 0\n") +
		section("writes", strings.Repeat("2300 bytes (2.3 kB, 2.2 KiB) copied, 0.025 s, 92 kB/s\n", 200)) +
		section("after", "cpu  150 0 150 799 0 0 0 101 0 0\n") + section("end", ""))}
}
