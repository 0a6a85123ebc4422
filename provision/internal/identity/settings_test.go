package identity

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
)

const settled = `cluster "c" {
  kubernetes   = "1.37.2"
  masters      = ["m1"]
  pod_cidr     = "10.100.0.0/16"
  service_cidr = "10.101.0.0/16"
}
calico {
  as_number  = 64512
  block_size = 26
}
kube_master "m1" { address = "10.90.0.11" }
kube_node "n1" { address = "10.90.0.21" }
kube_node "n2" { address = "10.90.0.22" }
`

// load is the settled inventory with pieces of it changed.
func load(t *testing.T, changes ...string) *inventory.Cluster {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.hcl")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(changes...).Replace(settled)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(path)) // so that places read alike wherever the test runs
	c, problems := inventory.Load("c.hcl")
	if c == nil {
		t.Fatal(problems)
	}
	return c
}

// rendered is an error as an operator sees it.
func rendered(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	problems, ok := err.(diag.Problems)
	if !ok {
		t.Fatalf("%T (%v) has another exit code than an inventory that is not valid", err, err)
	}
	var b strings.Builder
	if err := problems.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// members are the hosts of the settled inventory, with their notes.
func members(t *testing.T, change func(map[string]membership.Note)) map[string]facts.Snapshot {
	t.Helper()
	c := load(t)
	notes := map[string]membership.Note{}
	for _, h := range c.Hosts() {
		notes[h.Name] = membership.New(c, "1", h.Name)
	}
	if change != nil {
		change(notes)
	}
	seen := map[string]facts.Snapshot{}
	for name, n := range notes {
		seen[name] = facts.Snapshot{Texts: map[string]string{membership.Path: n.Text()}}
	}
	return seen
}

const podCIDR = `c.hcl:4:18: error: pod_cidr cannot be changed: the cluster has 10.100.0.0/16, as m1 says, and the inventory has 10.110.0.0/16
  4 |   pod_cidr     = "10.110.0.0/16"
    |                  ^^^^^^^^^^^^^^^
  drover has no verb for it: the nodes hold blocks of the old network, the pods that run have addresses of it, and
  the BIG-IPs have routes to it.
  fix: set pod_cidr back to 10.100.0.0/16; to have another one, make a new cluster with it and move the workloads there
`

const serviceCIDR = `c.hcl:5:18: error: service_cidr cannot be changed: the cluster has 10.101.0.0/16, as m1 says, and the inventory has 10.111.0.0/16
  5 |   service_cidr = "10.111.0.0/16"
    |                  ^^^^^^^^^^^^^^^
  drover has no verb for it: the Services there are keep their addresses, and the pods that run were told the old
  addresses of the API and of DNS.
  fix: set service_cidr back to 10.101.0.0/16; to have another one, make a new cluster with it and move the workloads there
`

const kubernetes = `c.hcl:2:18: error: kubernetes cannot be changed: the cluster has 1.37.2, as m1 says, and the inventory has 1.37.3
  2 |   kubernetes   = "1.37.3"
    |                  ^^^^^^^^
  An upgrade goes one minor version at a time, masters first and host by host, and drover has no verb for it yet:
  apply would restart all of them with whatever version it is told.
  fix: set kubernetes back to 1.37.2; leave it until drover can upgrade
`

const blockSize = `c.hcl:9:16: error: block_size cannot be changed: the cluster has 26, as m1 says, and the inventory has 25
  9 |   block_size = 25
    |                ^^
  drover has no verb for it: the nodes hold blocks of the old size, and Calico does not cut a pool anew while it is
  in use.
  fix: set block_size back to 26; to have another one, make a new cluster with it and move the workloads there
`

func TestChangesWithoutAVerbAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		inventory []string // pairs of old and new
		notes     func(map[string]membership.Note)
		want      string
	}{
		"nothing":      {},
		"pod_cidr":     {inventory: []string{"10.100.0.0/16", "10.110.0.0/16"}, want: podCIDR},
		"service_cidr": {inventory: []string{"10.101.0.0/16", "10.111.0.0/16"}, want: serviceCIDR},
		"kubernetes":   {inventory: []string{"1.37.2", "1.37.3"}, want: kubernetes},
		"block_size":   {inventory: []string{"= 26", "= 25"}, want: blockSize},
		"an older kubernetes": {inventory: []string{"1.37.2", "1.37.1"},
			want: strings.NewReplacer("has 1.37.3", "has 1.37.1", `"1.37.3"`, `"1.37.1"`).Replace(kubernetes)},
		"all of them": {inventory: []string{"10.100.0.0/16", "10.110.0.0/16", "10.101.0.0/16", "10.111.0.0/16", "1.37.2", "1.37.3", "= 26", "= 25"},
			want: strings.Join([]string{kubernetes, podCIDR, serviceCIDR, blockSize}, "\n")},
		"the name": {inventory: []string{`cluster "c"`, `cluster "d"`}, notes: func(n map[string]membership.Note) {
			delete(n, "n1")
			delete(n, "n2")
			n["m1"].Settings["pod_cidr"] = "10.120.0.0/16" // of another cluster: no matter here
		}, want: "c.hcl:11:1: error: m1 belongs to the cluster \"c\", not to \"d\"\n" +
			"  11 | kube_master \"m1\" { address = \"10.90.0.11\" }\n     | ^^^^^^^^^^^^^^^^\n" +
			"  fix: check the host's address; to take it over, run `drover reset` there with the inventory of its cluster first\n"},
		"notes of an older form, nothing changed": {notes: older("m1", "n1", "n2")},
		"a note of an older form beside a full one": {inventory: []string{"10.100.0.0/16", "10.110.0.0/16"}, notes: older("m1", "n1"),
			want: strings.Replace(podCIDR, "as m1 says", "as n2 says", 1)},
		"hosts that disagree": {notes: func(n map[string]membership.Note) { n["n2"].Settings["pod_cidr"] = "10.120.0.0/16" },
			want: `c.hcl:4:18: error: the hosts do not agree on the cluster's pod_cidr: 10.100.0.0/16 (on m1), 10.120.0.0/16 (on n2)
  4 |   pod_cidr     = "10.100.0.0/16"
    |                  ^^^^^^^^^^^^^^^
  Each host notes it in /var/lib/drover/cluster.drover when it becomes a member, and a cluster has one only.
  fix: find out which host is not what drover made of it: correct its note, or run ` + "`drover reset HOST`" + ` and add it again
`},
		"two fragments with each other's address": {inventory: []string{"10.90.0.21", "10.90.0.22", "10.90.0.22", "10.90.0.21"},
			notes: func(n map[string]membership.Note) { n["n1"], n["n2"] = n["n2"], n["n1"] },
			want: `c.hcl:12:28: error: the machine at 10.90.0.22 is n2 of this cluster, and the inventory calls it n1
  12 | kube_node "n1" { address = "10.90.0.22" }
     |                            ^^^^^^^^^^^^
  drover has no verb that renames a host: its Node, its certificates and its address blocks go by its name.
  fix: check the host's address, or call it n2 again

c.hcl:13:28: error: the machine at 10.90.0.21 is n1 of this cluster, and the inventory calls it n2
  13 | kube_node "n2" { address = "10.90.0.21" }
     |                            ^^^^^^^^^^^^
  drover has no verb that renames a host: its Node, its certificates and its address blocks go by its name.
  fix: check the host's address, or call it n1 again
`},
	} {
		t.Run(name, func(t *testing.T) {
			seen := members(t, test.notes)
			got := rendered(t, Refused(load(t, test.inventory...), seen))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// older strips notes to what the first of them said.
func older(hosts ...string) func(map[string]membership.Note) {
	return func(notes map[string]membership.Note) {
		for _, h := range hosts {
			notes[h] = membership.Note{Cluster: "c", UID: "1"}
		}
	}
}

// A note says the same after it was written and read, and one of an older form
// says less: so it is written again.
func TestANoteIsCompleted(t *testing.T) {
	c := load(t)
	full := membership.New(c, "1", "n1")
	if diff := cmp.Diff(full, membership.Parse(full.Text())); diff != "" {
		t.Error(diff)
	}
	want := "cluster=c\nuid=1\nhost=n1\nkubernetes=1.37.2\npod_cidr=10.100.0.0/16\nservice_cidr=10.101.0.0/16\nblock_size=26\n"
	if full.Text() != want {
		t.Errorf("got %q, want %q", full.Text(), want)
	}
	if c.PodCIDR != netip.MustParsePrefix("10.100.0.0/16") || !membership.Parse(want+"since=2030\n").Tells(full) {
		t.Error("a note that tells more is not told from one that tells less")
	}
	for _, text := range []string{"", "cluster=c\nuid=1\n", strings.Replace(want, "block_size=26\n", "", 1), strings.Replace(want, "host=n1\n", "", 1)} {
		if membership.Parse(text).Tells(full) {
			t.Errorf("%q passes for whole", text)
		}
	}
}
