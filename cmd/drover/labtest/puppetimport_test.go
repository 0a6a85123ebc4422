package labtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// fiveHundred: an inventory of nodes that PuppetDB alone knows is made in no time, says
// who is missing in it and why, and is the same when it is made again.
func (p *puppetry) fiveHundred(t *testing.T) {
	const count, most, dir = 500, 3 * time.Second, "/root/import"
	p.put(t, "/root/hosts.rb", 0o644, read(t, "testdata/puppetdb-hosts.rb"))
	p.ssh(t, admin, fmt.Sprintf("ruby /root/hosts.rb %d gen gen", count))
	labkit.Await(t, time.Minute, "PuppetDB knows them", func() error {
		got := p.ssh(t, admin, `curl -sS -G http://127.0.0.1:8080/pdb/query/v4/inventory --data-urlencode 'query=["extract", [["function", "count"]], ["~", "certname", "^gen-"]]'`)
		if !strings.Contains(got, fmt.Sprintf(`"count":%d`, count-1)) { // one is no more
			return errors.New(got)
		}
		return nil
	})
	// One has not been heard of for long.
	p.database(t, "update factsets set timestamp = now() - interval '5 hours', producer_timestamp = now() - interval '5 hours' where certname = 'gen-7'")
	base := `cluster "gen" {
  masters      = ["gen-1"]
  pod_cidr     = "10.100.0.0/16"
  service_cidr = "10.101.0.0/16"
}
puppetdb {
  url     = "http://127.0.0.1:8080"
  cluster = "gen"
}
# Somebody knows better.
kube_node "gen-2" {
  address = "10.80.0.3"
  labels  = { by = "hand" }
}
`
	p.put(t, dir+"/00-cluster.hcl", 0o644, base)
	made := func() string { return p.ssh(t, admin, "cd "+dir+" && sha256sum *") }

	first, took := p.imported(t, dir)
	t.Logf("%d nodes imported in %s, the way to the admin host included", count, took.Round(10*time.Millisecond))
	if took > most {
		t.Errorf("it took %s, more than %s", took, most)
	}
	if first.Rows != count-2 { // one is no more, and one has a row of somebody's
		t.Errorf("%d rows, want %d", first.Rows, count-2)
	}
	for certname, kind := range map[string]string{"gen-500": "deactivated", "gen-7": "stale", "gen-499": "failing", "gen-2": "by-hand"} {
		if !first.tells(certname, kind) {
			t.Errorf("%s is not told of as %s: %v", certname, kind, first.Notes)
		}
	}
	if got := p.ssh(t, admin, "cat "+dir+"/00-cluster.hcl"); got != strings.TrimSpace(base) {
		t.Errorf("what was written by hand is now\n%s", got)
	}
	before := made()
	if again, _ := p.imported(t, dir); again.Changed {
		t.Errorf("a second time there is something to change: %v", again.Changes)
	}
	if diff := cmp.Diff(before, made()); diff != "" {
		t.Errorf("a second time it is another (-once +twice):\n%s", diff)
	}

	// Who is gone from PuppetDB is not gone from the inventory.
	p.database(t, "update certnames set expired = now() where certname = 'gen-42'")
	if gone, _ := p.imported(t, dir); gone.Changed || !gone.tells("gen-42", "expired") {
		t.Errorf("of one that has expired: changed %v, %v", gone.Changed, gone.Notes)
	}
	if diff := cmp.Diff(before, made()); diff != "" {
		t.Errorf("one that has expired was taken out:\n%s", diff)
	}
	p.otherKey(t)
}

// imports is what `inventory import puppetdb -o json` says.
type imports struct {
	Changed bool
	Rows    int
	Changes []any
	Notes   []struct{ Kind, Certname string }
}

// tells reports whether a host is told of, and as what.
func (i imports) tells(certname, kind string) bool {
	return slices.ContainsFunc(i.Notes, func(n struct{ Kind, Certname string }) bool { return n.Certname == certname && n.Kind == kind })
}

// imported imports from PuppetDB into an inventory on the admin host, which has to succeed.
func (p *puppetry) imported(t *testing.T, dir string) (imports, time.Duration) {
	t.Helper()
	r := p.onAdmin(t, "HOME=/root drover -i "+dir+" inventory import puppetdb -o json")
	var i imports
	if err := json.Unmarshal([]byte(r.Stdout), &i); err != nil || r.Code != 0 {
		t.Fatalf("%v: %s", err, r)
	}
	return i, r.Took
}

// otherKey: a host whose key is not the one that PuppetDB has for its certname is refused,
// before anything is sent.
func (p *puppetry) otherKey(t *testing.T) {
	const dir = "/root/keys"
	p.ssh(t, admin, fmt.Sprintf("mkdir -p %s && cp %s/00-cluster.hcl %[1]s/", dir, adminInventory))
	p.put(t, dir+"/01-puppetdb.hcl", 0o644, "puppetdb {\n  url       = \"http://127.0.0.1:8080\"\n  host_keys = true\n}\n")
	for _, h := range p.hosts() { // whose keys nobody has written down
		kind := "kube_node"
		if slices.Contains(p.masters(), h) {
			kind = "kube_master"
		}
		p.put(t, dir+"/"+h+".hcl", 0o644, fmt.Sprintf("%s %q {\n  address        = %q\n  failure_domain = %[2]q\n  certname       = %[2]q\n}\n", kind, h, p.address(h)))
	}
	looks := func() labkit.Result { return p.onAdmin(t, "HOME=/root drover -i "+dir+" plan") }
	if r := looks(); r.Code != 0 {
		t.Fatalf("with the keys that PuppetDB has: %s", r)
	}
	p.database(t, `update factsets set stable = jsonb_set(stable, '{ssh,ed25519,key}', '"AAAAC3NzaC1lZDI1NTE5AAAAIB0nm6o5fRtF2iC8XyOPgJHZcFz6Rq8LVeKXbtcJ0rQm"') where certname = '`+last+`'`)
	if r := looks(); r.Code != 77 || !strings.Contains(r.Stderr, last) {
		t.Errorf("with another one: %s", r)
	}
}
