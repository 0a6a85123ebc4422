package desired

import (
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

var update = flag.Bool("update", false, "rewrite golden files")

// build is everything the inventory asks for, with a lock that knows everything.
func build(t *testing.T, path string, away ...string) []resource.Resource {
	t.Helper()
	return buildKeeping(t, path, Kept{}, away...)
}

func buildKeeping(t *testing.T, path string, kept Kept, away ...string) []resource.Resource {
	t.Helper()
	c, problems := inventory.Load(path)
	if c == nil {
		t.Fatal(problems)
	}
	lock := artifact.Lock{Files: map[string]string{}}
	for _, r := range artifact.All(c) {
		lock.Files[r.Path] = "sha256:" + strings.Repeat("0", 64)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	bundle, err := trust.Generate(now)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := Build(Inputs{
		Cluster: c, Lock: lock, Bundle: bundle, CalicoManifest: manifest(t), NewCluster: func() bool { return true }, Kept: kept,
		Now: func() time.Time { return now }, Away: func(name string) bool { return slices.Contains(away, name) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func manifest(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("../calico/testdata/calico-v3.30.1.yaml.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// seen is bare hosts and no cluster.
func seen(rs []resource.Resource) resource.Seen {
	s := resource.Seen{Hosts: map[string]facts.Snapshot{}, Cluster: &cluster.Access{}}
	for _, r := range rs {
		snap := facts.Snapshot{Units: map[string]facts.Unit{}}
		for _, u := range r.Scope().Units {
			snap.Units[u] = facts.Unit{Load: "not-found"}
		}
		host := r.Item().ID.Host()
		if have, ok := s.Hosts[host]; ok {
			for name, u := range snap.Units {
				have.Units[name] = u
			}
			continue
		}
		s.Hosts[host] = snap
	}
	return s
}

func planOf(t *testing.T, rs []resource.Resource) plan.Plan {
	t.Helper()
	return planIn(t, rs, seen(rs))
}

func planIn(t *testing.T, rs []resource.Resource, world resource.Seen) plan.Plan {
	t.Helper()
	var items []plan.Item
	have := map[plan.ID]plan.State{}
	for _, r := range rs {
		item := r.Item()
		items = append(items, item)
		state, err := r.Observe(context.Background(), world)
		if err != nil {
			t.Fatalf("%s: %v", item.ID, err)
		}
		have[item.ID] = state
	}
	p, err := plan.Diff("c", items, have)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The golden file is the workflow: what is made of a bare host and in what order,
// with what each thing needs.
func TestTheLabFromBareMachines(t *testing.T) {
	var b strings.Builder
	for _, c := range planOf(t, build(t, "../../../examples/lab")).Changes {
		host := c.ID.Host()
		if host != "kube-master-1" && host != "kube-node-1" && host != plan.ClusterHost && host != "f5-a" {
			continue
		}
		fmt.Fprintf(&b, "%s %s\n", c.Action, c.ID)
		for _, n := range slices.Concat(c.Needs, c.Triggers) {
			fmt.Fprintf(&b, "    needs %s\n", n)
		}
	}
	golden := filepath.Join("testdata", "lab.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestEveryExampleIsACompleteGraph(t *testing.T) {
	for _, path := range []string{"../../../examples/lab", "../../../examples/production"} {
		planOf(t, build(t, path)) // fails on doubled items, missing needs and circles
	}
}

// A host that is away is asked nothing, and nothing waits for it; but what the
// others know of it stays as it is.
// How an artifact comes to a host is no part of what is wanted there.
func TestPushChangesNoItem(t *testing.T) {
	content, err := os.ReadFile("../../../examples/lab/inventory.hcl")
	if err != nil {
		t.Fatal(err)
	}
	push := strings.Replace(string(content), "artifacts {", "artifacts {\n  pull = \"push\"", 1)
	file := filepath.Join(t.TempDir(), "inventory.hcl")
	if err := os.WriteFile(file, []byte(push), 0o600); err != nil {
		t.Fatal(err)
	}
	pulled, pushed := build(t, "../../../examples/lab"), build(t, file)
	artifacts := 0
	for i, r := range pushed {
		if a, ok := r.(resource.Artifact); ok {
			artifacts++
			if !a.Push || pulled[i].(resource.Artifact).Push {
				t.Errorf("%s: pushed %v", a.Item().ID, a.Push)
			}
			if diff := cmp.Diff(pulled[i].Item().Want, a.Item().Want); diff != "" {
				t.Errorf("%s (-pulled +pushed):\n%s", a.Item().ID, diff)
			}
		}
	}
	if artifacts == 0 {
		t.Error("no artifacts")
	}
}

func TestAHostThatIsAwayChangesNothingForOthers(t *testing.T) {
	all, without := planOf(t, build(t, "../../../examples/lab")), planOf(t, build(t, "../../../examples/lab", "kube-master-2", "kube-node-2"))
	want := map[plan.ID]plan.State{}
	for _, c := range all.Changes {
		if h := c.ID.Host(); h != "kube-master-2" && h != "kube-node-2" {
			want[c.ID] = c.Want
		}
	}
	for _, c := range without.Changes {
		w, ok := want[c.ID]
		if !ok {
			t.Errorf("%s is wanted only because another host is away", c.ID)
		}
		// Certificates are made anew for each build here; their words are not.
		if diff := cmp.Diff(w, c.Want); diff != "" {
			t.Errorf("%s is wanted otherwise because another host is away:\n%s", c.ID, diff)
		}
		delete(want, c.ID)
	}
	for id := range want {
		if id != "cluster/block:kube-node-2" { // it cannot be given a pod
			t.Errorf("%s is no longer wanted because another host is away", id)
		}
	}
}

// A note of an older form is completed, and the host stays the cluster's.
func TestANoteThatTellsLessIsCompleted(t *testing.T) {
	for _, r := range build(t, "../../../examples/lab") {
		if r.Item().ID != "kube-node-1/membership:lab" {
			continue
		}
		note := r.(resource.Step)
		look := func(text string) plan.State {
			state, err := note.Look(t.Context(), resource.Seen{Hosts: map[string]facts.Snapshot{
				"kube-node-1": {Texts: map[string]string{membership.Path: text}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			return state
		}
		machine := hosttest.New(t, "kube-node-1")
		if err := note.Perform(t.Context(), resource.World{Hosts: map[string]host.Writer{"kube-node-1": machine}}, plan.Change{}); err != nil {
			t.Fatal(err)
		}
		whole := string(machine.State().Files[membership.Path].Content)
		if diff := cmp.Diff(note.Want, look(whole)); diff != "" {
			t.Error(diff)
		}
		older, _, _ := strings.Cut(whole, "host=")
		if diff := cmp.Diff(plan.State{"cluster": "this one", "settings": "not all noted"}, look(older)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(plan.State{"cluster": "another", "settings": "not all noted"}, look("cluster=lab\nuid=other\n")); diff != "" {
			t.Error(diff)
		}
		return
	}
	t.Fatal("no host notes what it belongs to")
}

// Members whose fragments are missing stay in every load balancer and on every
// BIG-IP; a Node under an older name of a host is no member of its own.
func TestMembersThatTheInventoryDoesNotNameAreKept(t *testing.T) {
	ip := netip.MustParseAddr
	kept := Kept{Members: []cluster.Member{
		{Name: "master-x", Address: ip("10.90.0.19"), Master: true, Etcd: true},
		{Name: "node-x", Address: ip("10.90.0.29")},
		{Name: "older-name", Address: ip("10.90.0.21")},
		{Name: "older-master", Address: ip("10.90.0.11"), Master: true},
		{Name: "never-joined", Master: true},
	}}
	rs := buildKeeping(t, "../../../examples/lab", kept)
	balancers := 0
	for _, r := range rs {
		f, ok := r.(resource.File)
		if !ok || f.Path != manifests.HAProxyConfigPath {
			continue
		}
		balancers++
		var names []string
		for _, b := range manifests.Backends(string(f.Content)) {
			names = append(names, b.Name+" "+b.Address.String())
		}
		want := []string{"kube-master-1 10.90.0.11", "kube-master-2 10.90.0.12", "kube-master-3 10.90.0.13", "master-x 10.90.0.19"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s: %s", f.Host, diff)
		}
		if strings.Contains(string(f.Content), "never-joined") {
			t.Error("a member without an address is in a load balancer")
		}
	}
	if balancers == 0 {
		t.Fatal("no host has a load balancer")
	}
	c, _ := inventory.Load("../../../examples/lab")
	var names []string
	for _, n := range kept.Peering(c, c.BigIPs[0]).Neighbors {
		names = append(names, fmt.Sprint(n.Name, " ", n.Services, " ", n.Kept))
	}
	want := []string{"kube-master-1 false false", "kube-master-2 false false", "kube-master-3 false false",
		"kube-node-1 true false", "kube-node-2 true false", "master-x false true", "node-x true true"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	for _, r := range rs {
		if r.Item().ID != "f5-a/bgp:neighbors" {
			continue
		}
		state, err := r.Observe(t.Context(), seen(rs))
		if err != nil {
			t.Fatal(err)
		}
		for address, listed := range map[string]int{"10.90.0.19": 1, "10.90.0.29": 1, "10.90.0.21": 1, "10.90.0.11": 1} {
			if n := strings.Count(state["configuration"], "neighbor "+address+" peer-group"); n != listed {
				t.Errorf("%s is listed %d times: %s", address, n, state["configuration"])
			}
		}
		return
	}
	t.Error("no BIG-IP has neighbors")
}
