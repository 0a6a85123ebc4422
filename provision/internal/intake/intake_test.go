package intake_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/intake"
	"github.com/droverctl/drover/provision/internal/puppetdb"
	"github.com/droverctl/drover/provision/puppetdbtest"
)

// key is an ed25519 key as it goes over the wire.
func key(c string) []byte { return []byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x01" + c) }

// asked are the inputs as a PuppetDB with these nodes gives them.
func asked(tb testing.TB, made []inventory.Host, nodes ...puppetdbtest.Node) intake.Inputs {
	tb.Helper()
	s := puppetdbtest.ServePlain(tb, nodes...)
	c, err := puppetdb.Open(puppetdb.Access{URL: s.URL}, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	in := intake.Inputs{Settings: inventory.DefaultPuppetDB(), ByHand: &inventory.Cluster{}, Made: made}
	in.Settings.Cluster = "prod1"
	var others []string
	for _, h := range made {
		others = append(others, h.Certname)
	}
	if in.Nodes, in.Statuses, in.Now, err = c.Hosts(context.Background(), "prod1", []string{"facts.networking"}, others); err != nil {
		tb.Fatal(err)
	}
	return in
}

func take(tb testing.TB, in intake.Inputs) intake.Result {
	tb.Helper()
	r, problems := intake.Take(in)
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	return r
}

func node(n int) puppetdbtest.Node {
	return puppetdbtest.Host(fmt.Sprintf("kube-node-%d.example.net", n), "prod1", "kube_node", fmt.Sprintf("10.90.%d.%d", n/200, 20+n%200), key(string(rune('a'+n%26))))
}

func row(n int) inventory.Host {
	return inventory.Host{
		Role: inventory.RoleNode, Name: fmt.Sprintf("kube-node-%d", n), Certname: fmt.Sprintf("kube-node-%d.example.net", n),
		Address: netip.MustParseAddr(fmt.Sprintf("10.90.%d.%d", n/200, 20+n%200)), FailureDomain: "esx-01",
		SSH: inventory.SSH{HostKey: puppetdb.Key{Type: "ssh-ed25519", Blob: key(string(rune('a' + n%26)))}.Line()},
	}
}

// kinds are what was noted of a host.
func kinds(r intake.Result, certname string) []intake.Kind {
	var all []intake.Kind
	for _, n := range r.Notes {
		if n.Certname == certname {
			all = append(all, n.Kind)
		}
	}
	return all
}

var same = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

// What one host's facts and certificate say, and what becomes of its row: there was
// none, or the one of before.
func TestOneHost(t *testing.T) {
	ago := time.Now().Add(-time.Hour)
	moved := row(1)
	moved.Address = netip.MustParseAddr("10.90.0.99")
	noZone, noKey, datacenter := row(1), row(1), row(1)
	noZone.FailureDomain, noKey.SSH.HostKey, datacenter.FailureDomain = "", "", "dc1"
	master := row(1)
	master.Role = inventory.RoleMaster
	networking := func(n *puppetdbtest.Node) map[string]any { return n.Facts["networking"].(map[string]any) }
	none := []inventory.Host{}
	for name, c := range map[string]struct {
		change        func(*puppetdbtest.Node)
		settings      func(*intake.Inputs)
		first, before []inventory.Host // what becomes of no row, and of row 1
		kinds         []intake.Kind    // of both
	}{
		"well":            {func(*puppetdbtest.Node) {}, nil, []inventory.Host{row(1)}, []inventory.Host{row(1)}, nil},
		"deactivated":     {func(n *puppetdbtest.Node) { n.Deactivated = ago }, nil, none, []inventory.Host{row(1)}, []intake.Kind{intake.Deactivated}},
		"expired":         {func(n *puppetdbtest.Node) { n.Expired = ago }, nil, none, []inventory.Host{row(1)}, []intake.Kind{intake.Expired}},
		"failing":         {func(n *puppetdbtest.Node) { n.Report = "failed" }, nil, []inventory.Host{row(1)}, []inventory.Host{row(1)}, []intake.Kind{intake.Failing}},
		"noop":            {func(n *puppetdbtest.Node) { n.NoopPending = true }, nil, []inventory.Host{row(1)}, []inventory.Host{row(1)}, []intake.Kind{intake.NoopPending}},
		"cached":          {func(n *puppetdbtest.Node) { n.Cached = "on_failure" }, nil, []inventory.Host{row(1)}, []inventory.Host{row(1)}, []intake.Kind{intake.CachedCatalog}},
		"cached, on wish": {func(n *puppetdbtest.Node) { n.Cached = "explicitly_requested" }, nil, []inventory.Host{row(1)}, []inventory.Host{row(1)}, nil},
		"moved":           {func(n *puppetdbtest.Node) { networking(n)["ip"] = "10.90.0.99" }, nil, []inventory.Host{moved}, []inventory.Host{moved}, nil},
		"no zone":         {func(n *puppetdbtest.Node) { delete(n.Extensions, "pp_zone") }, nil, []inventory.Host{noZone}, []inventory.Host{row(1)}, nil},
		"a bad zone":      {func(n *puppetdbtest.Node) { n.Extensions["pp_zone"] = "a b" }, nil, []inventory.Host{noZone}, []inventory.Host{row(1)}, nil},
		"a datacenter": {func(n *puppetdbtest.Node) {
			delete(n.Extensions, "pp_zone")
			n.Extensions["pp_datacenter"] = "dc1"
		}, nil, []inventory.Host{datacenter}, []inventory.Host{datacenter}, nil},
		"no key": {func(n *puppetdbtest.Node) { delete(n.Facts, "ssh") }, nil, []inventory.Host{noKey}, []inventory.Host{row(1)}, nil},
		"a key of no kind": {func(n *puppetdbtest.Node) {
			n.Facts["ssh"] = map[string]any{"odd": map[string]any{"type": "odd", "key": "AAAAA29kZAAAAAFr"}}
		}, nil, []inventory.Host{noKey}, []inventory.Host{row(1)}, nil},
		"keys are asked for":       {func(*puppetdbtest.Node) {}, func(in *intake.Inputs) { in.Settings.HostKeys = true }, []inventory.Host{noKey}, []inventory.Host{noKey}, nil},
		"no address":               {func(n *puppetdbtest.Node) { delete(n.Facts, "networking") }, nil, none, []inventory.Host{row(1)}, []intake.Kind{intake.NoAddress}},
		"loopback":                 {func(n *puppetdbtest.Node) { networking(n)["ip"] = "127.0.0.1" }, nil, none, []inventory.Host{row(1)}, []intake.Kind{intake.NoAddress}},
		"no role":                  {func(n *puppetdbtest.Node) { delete(n.Extensions, "pp_role") }, nil, none, []inventory.Host{row(1)}, []intake.Kind{intake.OtherRole}},
		"a role of no value":       {func(n *puppetdbtest.Node) { delete(n.Extensions, "pp_role") }, func(in *intake.Inputs) { in.Settings.NodeRole = "" }, none, []inventory.Host{row(1)}, []intake.Kind{intake.OtherRole}},
		"a role by a plain fact":   {func(n *puppetdbtest.Node) { n.Extensions["pp_role"] = "x"; n.Facts["pp_role"] = "kube_node" }, nil, none, []inventory.Host{row(1)}, []intake.Kind{intake.OtherRole}},
		"a master that is not one": {func(n *puppetdbtest.Node) { n.Extensions["pp_role"] = "kube_master" }, func(in *intake.Inputs) { in.ByHand.Masters = []string{"m"} }, none, none, []intake.Kind{intake.UnpinnedMaster}},
		"a master":                 {func(n *puppetdbtest.Node) { n.Extensions["pp_role"] = "kube_master" }, func(in *intake.Inputs) { in.ByHand.Masters = []string{"kube-node-1"} }, []inventory.Host{master}, []inventory.Host{master}, nil},
		"ignored":                  {func(*puppetdbtest.Node) {}, func(in *intake.Inputs) { in.Settings.Ignore = []string{"kube-node-1.example.net"} }, none, none, []intake.Kind{intake.Ignored}},
		"by hand": {func(*puppetdbtest.Node) {}, func(in *intake.Inputs) {
			h := row(1)
			h.Name = "mine"
			in.ByHand.KubeNodes = []inventory.Host{h}
		}, none, none, []intake.Kind{intake.ByHand}},
		"its hostname": {func(n *puppetdbtest.Node) { networking(n)["hostname"] = "a_b" }, func(in *intake.Inputs) { in.Settings.Name = inventory.NameHostname }, none, []inventory.Host{row(1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := node(1)
			c.change(&n)
			for made, want := range map[int][]inventory.Host{0: c.first, 1: c.before} {
				in := asked(t, []inventory.Host{row(1)}[:made], n)
				if c.settings != nil {
					c.settings(&in)
				}
				r := take(t, in)
				if d := cmp.Diff(want, r.Rows, same); d != "" {
					t.Errorf("with %d rows before (-want +got):\n%s", made, d)
				}
				if c.kinds != nil && !slices.Equal(kinds(r, n.Certname), c.kinds) {
					t.Errorf("with %d rows before: %+v", made, r.Notes)
				}
				if (len(r.Changes) == 0) != (cmp.Diff([]inventory.Host{row(1)}[:made], r.Rows, same) == "") {
					t.Errorf("with %d rows before: %+v", made, r.Changes)
				}
			}
		})
	}
}

// What is old is not believed against what there is, and is told; of a host without a
// row it is all there is, but no key.
func TestStale(t *testing.T) {
	for _, age := range []time.Duration{3 * time.Hour, -time.Hour} { // what is from the future would never be old
		staleAt(t, time.Now().Add(-age))
	}
}

func staleAt(t *testing.T, at time.Time) {
	t.Helper()
	n := node(1)
	n.FactsAt = at
	n.Facts["networking"].(map[string]any)["ip"] = "10.90.0.99"
	r := take(t, asked(t, []inventory.Host{row(1)}, n))
	if d := cmp.Diff([]inventory.Host{row(1)}, r.Rows, same); d != "" || !slices.Contains(kinds(r, n.Certname), intake.Stale) {
		t.Errorf("%s\n%+v", d, r.Notes)
	}
	r = take(t, asked(t, nil, n))
	if len(r.Rows) != 1 || r.Rows[0].Address.String() != "10.90.0.99" || r.Rows[0].SSH.HostKey != "" || !slices.Contains(kinds(r, n.Certname), intake.Stale) {
		t.Errorf("%+v\n%+v", r.Rows, r.Notes)
	}
}

// A failure domain that is not told is asked for once: what was known is still so.
func TestNoFailureDomain(t *testing.T) {
	n := node(1)
	delete(n.Extensions, "pp_zone")
	if got := kinds(take(t, asked(t, nil, n)), n.Certname); !slices.Equal(got, []intake.Kind{intake.NoFailureDomain}) {
		t.Errorf("new: %v", got)
	}
	if got := kinds(take(t, asked(t, []inventory.Host{row(1)}, n)), n.Certname); len(got) > 0 {
		t.Errorf("known: %v", got)
	}
}

// Hosts that PuppetDB has lost keep their rows, whatever became of them there.
func TestAbsenceTakesNothingAway(t *testing.T) {
	gone, elsewhere, silent := node(2), node(3), node(4)
	gone.Expired, elsewhere.Extensions["pp_cluster"], silent.FactsAt = time.Now(), "prod2", time.Time{}
	made := []inventory.Host{row(1), row(2), row(3), row(4), row(5)}
	r := take(t, asked(t, made, node(1), gone, elsewhere, silent))
	if d := cmp.Diff(made, r.Rows, same); d != "" || len(r.Changes) > 0 {
		t.Errorf("%s\n%+v", d, r.Changes)
	}
	for n, want := range map[int]intake.Kind{2: intake.Expired, 3: intake.Absent, 4: intake.Absent, 5: intake.Absent} {
		if got := kinds(r, row(n).Certname); !slices.Equal(got, []intake.Kind{want}) {
			t.Errorf("%d: %v", n, got)
		}
	}
}

func TestConflicts(t *testing.T) {
	twin := node(2)
	twin.Facts["networking"].(map[string]any)["ip"] = "10.90.0.21"
	other := puppetdbtest.Host("kube-node-1.test.example.net", "prod1", "kube_node", "10.90.0.77")
	_, problems := intake.Take(asked(t, nil, node(1), twin, other))
	want := []string{
		"kube-node-1.example.net and kube-node-1.test.example.net both have the name kube-node-1",
		"kube-node-1.example.net and kube-node-2.example.net both have the address 10.90.0.21",
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Summary)
		if p.Code != intake.CodeConflict || !strings.Contains(p.Fix, "ignore") {
			t.Errorf("%+v", p)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// One that is kept has its address still.
	if _, problems := intake.Take(asked(t, []inventory.Host{row(1)}, twin)); len(problems) != 1 {
		t.Errorf("%v", problems)
	}
}

// The same answer makes the same file, in whatever order PuppetDB gives it.
func TestOrder(t *testing.T) {
	var nodes []puppetdbtest.Node
	for n := range 30 {
		nodes = append(nodes, node(n))
	}
	var want []byte
	for range 5 {
		rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		got := inventory.Generated(take(t, asked(t, nil, nodes...)).Rows, "x")
		if want != nil && string(want) != string(got) {
			t.Fatalf("%s\n%s", want, got)
		}
		want = got
	}
}

// 500 hosts, from the question to the file.
func BenchmarkImport500(b *testing.B) {
	var nodes []puppetdbtest.Node
	for n := range 500 {
		nodes = append(nodes, node(n))
	}
	for b.Loop() {
		r := take(b, asked(b, nil, nodes...))
		if len(r.Rows) != 500 || len(inventory.Generated(r.Rows, "x")) < 50_000 {
			b.Fatal("not all of them")
		}
	}
}
