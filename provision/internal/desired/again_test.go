package desired

import (
	"bytes"
	"context"
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
		Cluster: c, Lock: lock, Bundle: bundle, CalicoManifest: manifest(t), NewCluster: true,
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

// Whoever plans twice in the same world gets the same plan, although a cluster
// that begins has another trust each time; nothing in it tells a password, not
// even by its digest.
func TestThePlanIsTheSameTwice(t *testing.T) {
	for _, path := range examples {
		one, _ := run(t, load(t, path, sure), noon)
		two, _ := run(t, load(t, path, "another"), noon.Add(time.Hour))
		if d := cmp.Diff(items(one), items(two)); d != "" {
			t.Errorf("%s: wanted (-once +again):\n%s", path, d)
		}
		if d := cmp.Diff(planOf(t, one), planOf(t, two)); d != "" {
			t.Errorf("%s: planned (-once +again):\n%s", path, d)
		}
	}
}

// leave puts what a run made with its trust on the first master: two of its
// files, and a certificate.
func leave(t *testing.T, world resource.Seen, rs []resource.Resource, bundle *trust.Bundle) {
	t.Helper()
	snap := world.Hosts["kube-master-1"]
	snap.Files, snap.Texts = map[string]facts.File{}, map[string]string{}
	put := func(f pki.File, content []byte) {
		snap.Files[f.Path] = facts.File{Mode: f.Mode, Owner: f.Owner, Size: int64(len(content)), SHA256: digest(content)}
	}
	for _, f := range trust.Files()[:2] {
		put(f, bundle.Content(f.Path))
	}
	for _, r := range rs {
		c, ok := r.(resource.Certificate)
		if !ok || c.Host != "kube-master-1" {
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
	world.Hosts["kube-master-1"] = snap
}

// What an earlier run left of a trust that nobody has whole looks the same to
// each run, though each comes with another trust of its own.
func TestThePlanIsTheSameTwiceOverRemains(t *testing.T) {
	old, remains := run(t, load(t, examples[0], sure), noon)
	c := load(t, examples[0], sure)
	var plans []plan.Plan
	for _, now := range []time.Time{noon, noon.Add(time.Hour)} {
		rs, _ := run(t, c, now)
		world := seen(rs)
		leave(t, world, old, remains)
		var want []plan.Item
		have := map[plan.ID]plan.State{}
		for _, r := range rs {
			item := r.Item()
			state, err := r.Observe(context.Background(), world)
			if err != nil {
				t.Fatal(err)
			}
			want, have[item.ID] = append(want, item), state
		}
		p, err := plan.Diff(c.Name, want, have)
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	var updates int
	for _, ch := range plans[0].Pending() {
		if ch.Action == plan.Update {
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
func TestThePlanTellsWhatIsMade(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(c *inventory.Cluster)
		id     plan.ID
	}{
		"a version in an object": {func(c *inventory.Cluster) { c.CoreDNS.Version = "9.9.9" }, "cluster/object:Deployment kube-system/coredns"},
		"a node's label":         {func(c *inventory.Cluster) { c.KubeNodes[0].Labels = map[string]string{"a": "b"} }, "cluster/node:kube-node-1"},
		"a BIG-IP's password": {func(c *inventory.Cluster) { c.BigIPs[0].Password = inventory.Secret{} },
			"cluster/object:Secret kube-system/drover-bgp"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := run(t, load(t, examples[0], sure), noon)
			c := load(t, examples[0], sure)
			tc.change(c)
			after, _ := run(t, c, noon)
			d, err := plan.Drift(planOf(t, before), planOf(t, after))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(d, func(line string) bool { return strings.HasPrefix(line, string(tc.id)+": is wanted") }) {
				t.Errorf("%s is not told:\n%s", tc.id, strings.Join(d, "\n"))
			}
		})
	}
}

// A plan's file holds no secret.
func TestThePlanHoldsNoSecret(t *testing.T) {
	for _, path := range examples {
		rs, bundle := run(t, load(t, path, sure), noon)
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
				t.Errorf("%s: the plan holds %q", path, s)
			}
		}
		if again, err := plan.Decode(text); err != nil || len(again.Pending()) < 100 {
			t.Errorf("%s: %v: %d changes", path, err, len(again.Pending()))
		}
	}
}

// What is only waited for is marked, for its words are not the same twice; what
// is changed is not, for its words tell what was approved.
func TestConditionsAreMarked(t *testing.T) {
	rs, _ := run(t, load(t, examples[0], sure), noon)
	marked := 0
	for _, item := range items(rs) {
		what := item.ID.What()
		if want := strings.HasPrefix(what, "ready:") || what == "bgp:sessions"; item.Condition != want {
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
