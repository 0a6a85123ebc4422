package desired

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// sure is a password that is easily found where it must not be.
const sure = "correct-horse-battery-staple"

// run is one look at a cluster that begins: with a trust made for it and, as an
// hour later, another time.
func run(t *testing.T, c *inventory.Cluster, now time.Time) ([]resource.Resource, *trust.Bundle) {
	t.Helper()
	lock := artifact.Lock{Files: map[string]string{}}
	for _, r := range artifact.All(c) {
		lock.Files[r.Path] = "sha256:" + strings.Repeat("0", 64)
	}
	bundle, err := trust.Generate(now)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := Build(Inputs{
		Cluster: c, Lock: lock, Bundle: bundle, CalicoManifest: manifest(t), NewCluster: func() bool { return true },
		Now: func() time.Time { return now }, Away: func(string) bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs, bundle
}

func load(t *testing.T, path, password string) *inventory.Cluster {
	t.Helper()
	c, problems := inventory.Load(path)
	if c == nil {
		t.Fatal(problems)
	}
	for i := range c.BigIPs {
		c.BigIPs[i].Password = inventory.NewSecret(password)
	}
	return c
}

func items(rs []resource.Resource) []plan.Item {
	var out []plan.Item
	for _, r := range rs {
		out = append(out, r.Item())
	}
	return out
}

var (
	noon     = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	examples = []string{"../../../examples/lab", "../../../examples/production"}
)

// Two runs of the same inventory are planned, as everything about plans that are
// compared needs them; building one is most of the work.
func TestPlansOfTwoRuns(t *testing.T) {
	for _, path := range examples {
		once, bundle := run(t, load(t, path, sure), noon)
		again, _ := run(t, load(t, path, "another"), noon.Add(time.Hour))
		name := filepath.Base(path)
		t.Run(name+" is the same twice", func(t *testing.T) { sameTwice(t, once, again) })
		t.Run(name+" is the same twice over remains", func(t *testing.T) { sameOverRemains(t, once, again) })
		t.Run(name+" holds no secret", func(t *testing.T) { holdsNoSecret(t, once, bundle) })
		t.Run(name+" marks conditions", func(t *testing.T) { marksConditions(t, once) })
		if path == examples[0] {
			t.Run(name+" tells what is made", func(t *testing.T) { tellsWhatIsMade(t, once) })
		}
	}
}

// Whoever plans twice in the same world gets the same plan, although a cluster
// that begins has another trust each time; nothing in it tells a password, not
// even by its digest.
func sameTwice(t *testing.T, once, again []resource.Resource) {
	if d := cmp.Diff(items(once), items(again)); d != "" {
		t.Errorf("wanted (-once +again):\n%s", d)
	}
	if d := cmp.Diff(planOf(t, once), planOf(t, again)); d != "" {
		t.Errorf("planned (-once +again):\n%s", d)
	}
}

// leave puts what a run with another trust made on the first master: two of its
// files, and a certificate.
func leave(t *testing.T, world resource.Seen, rs []resource.Resource, bundle *trust.Bundle) {
	t.Helper()
	master := firstMaster(rs)
	snap := world.Hosts[master]
	snap.Files, snap.Texts = map[string]facts.File{}, map[string]string{}
	put := func(f pki.File, content []byte) {
		snap.Files[f.Path] = facts.File{Mode: f.Mode, Owner: f.Owner, Size: int64(len(content)), SHA256: digest(content)}
	}
	for _, f := range trust.Files()[:2] {
		put(f, bundle.Content(f.Path))
	}
	for _, r := range rs {
		c, ok := r.(resource.Certificate)
		if !ok || c.Host != master {
			continue
		}
		cert, key, err := bundle.Authority(c.Cert.CA).Issue(c.Cert.Leaf, noon)
		if err != nil {
			t.Fatal(err)
		}
		put(c.Cert.Cert, cert)
		put(c.Cert.Key, key)
		snap.Texts[c.Cert.Cert.Path] = string(cert)
		break
	}
	world.Hosts[master] = snap
}

// firstMaster is the first host that has the cluster's keys.
func firstMaster(rs []resource.Resource) string {
	key := pki.CAs()[0].Key.Path
	i := slices.IndexFunc(rs, func(r resource.Resource) bool { return r.Item().ID.What() == "file:"+key })
	return rs[i].Item().ID.Host()
}

// What an earlier run left of a trust that nobody has whole looks the same to
// each run, though each comes with another trust of its own.
func sameOverRemains(t *testing.T, once, again []resource.Resource) {
	remains, err := trust.Generate(noon)
	if err != nil {
		t.Fatal(err)
	}
	var plans []plan.Plan
	for _, rs := range [][]resource.Resource{once, again} {
		world := seen(rs)
		leave(t, world, rs, remains)
		plans = append(plans, planIn(t, rs, world))
	}
	updates := 0
	for _, c := range plans[0].Pending() {
		if c.Action == plan.Update {
			updates++
		}
	}
	if updates < 3 {
		t.Errorf("%d updates: the remains were not seen", updates)
	}
	if d, err := plan.Drift(plans[0], plans[1]); err != nil || len(d) > 0 {
		t.Errorf("%v\n%s", err, strings.Join(d, "\n"))
	}
}

// What is made is in the plan even where a state says no more than "as wanted".
func tellsWhatIsMade(t *testing.T, once []resource.Resource) {
	before := planOf(t, once)
	c := load(t, examples[0], sure)
	c.CoreDNS.Version = "9.9.9"
	c.KubeNodes[0].Labels = map[string]string{"a": "b"}
	c.BigIPs[0].Password = inventory.Secret{}
	rs, _ := run(t, c, noon)
	d, err := plan.Drift(before, planOf(t, rs))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []plan.ID{"cluster/object:Deployment kube-system/coredns", "cluster/node:kube-node-1", "cluster/object:Secret kube-system/drover-bgp"} {
		if !slices.Contains(d, string(id)+": is wanted with another content") {
			t.Errorf("%s is not told:\n%s", id, strings.Join(d, "\n"))
		}
	}
}

// A plan's file holds no secret.
func holdsNoSecret(t *testing.T, rs []resource.Resource, bundle *trust.Bundle) {
	text, err := planOf(t, rs).Encode()
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{[]byte(sure)}
	for _, f := range trust.Files() {
		for line := range bytes.Lines(bundle.Content(f.Path)) {
			if line = bytes.TrimSpace(line); len(line) > 30 && !bytes.HasPrefix(line, []byte("-----")) {
				secrets = append(secrets, line)
			}
		}
		secrets = append(secrets, []byte(bundle.Digest(f.Path)))
	}
	for _, s := range secrets {
		if bytes.Contains(text, s) {
			t.Errorf("the plan holds %q", s)
		}
	}
	if again, err := plan.Decode(text); err != nil || len(again.Pending()) < 100 {
		t.Errorf("%v: %d changes", err, len(again.Pending()))
	}
}

// What is only waited for is marked, for its words are not the same twice; what
// is changed is not, for its words tell what was approved.
func marksConditions(t *testing.T, rs []resource.Resource) {
	marked := 0
	for _, item := range items(rs) {
		what := item.ID.What()
		if want := strings.HasPrefix(what, "ready:") || strings.HasPrefix(what, "bgp:") && what != "bgp:neighbors"; item.Condition != want {
			t.Errorf("%s: condition %v", item.ID, item.Condition)
		}
		if item.Condition {
			marked++
		}
	}
	if marked < 5 {
		t.Errorf("%d conditions", marked)
	}
}
