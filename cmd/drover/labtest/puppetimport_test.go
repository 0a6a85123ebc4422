package labtest

import (
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
	imported := func() labkit.Result {
		t.Helper()
		return p.onAdmin(t, "HOME=/root drover -i "+dir+" inventory import puppetdb")
	}
	made := func() string { return p.ssh(t, admin, "cd "+dir+" && sha256sum *") }

	first := imported()
	t.Logf("%d nodes imported in %s, the way there included", count, first.Took.Round(10*time.Millisecond))
	if first.Code != 0 || first.Took > most {
		t.Errorf("want exit 0 within %s: %s", most, first)
	}
	for _, who := range []struct{ certname, why string }{{"gen-500", "deactivated"}, {"gen-7", "stale"}, {"gen-499", "fail"}} {
		if !reported(first.Stdout+first.Stderr, who.certname, who.why) {
			t.Errorf("%s is not reported as %s: %s", who.certname, who.why, first)
		}
	}
	if got := p.ssh(t, admin, "cat "+dir+"/00-cluster.hcl"); got != strings.TrimSpace(base) {
		t.Errorf("what was written by hand is now\n%s", got)
	}
	before := made()
	if again := imported(); again.Code != 0 {
		t.Errorf("a second time: %s", again)
	}
	if diff := cmp.Diff(before, made()); diff != "" {
		t.Errorf("a second time it is another (-once +twice):\n%s", diff)
	}

	// Who is gone from PuppetDB is not gone from the inventory.
	p.database(t, "update certnames set expired = now() where certname = 'gen-42'")
	gone := imported()
	if !reported(gone.Stdout+gone.Stderr, "gen-42", "") {
		t.Errorf("nothing is said of one that has expired: %s", gone)
	}
	if got := p.ssh(t, admin, "HOME=/root drover -i "+dir+" inventory show"); !strings.Contains(got, `"gen-42"`) {
		t.Error("one that has expired was taken out of the inventory")
	}
	p.otherKey(t)
}

// reported says whether a line is about a host, and says a word.
func reported(said, certname, word string) bool {
	for line := range strings.Lines(said) {
		if strings.Contains(line+" ", certname+" ") || strings.Contains(line, certname+":") || strings.Contains(line, `"`+certname+`"`) {
			if strings.Contains(line, word) {
				return true
			}
		}
	}
	return false
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
