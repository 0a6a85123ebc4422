package desired

import (
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
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
		Cluster: c, Lock: lock, Bundle: bundle, CalicoManifest: manifest(t), NewCluster: true,
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
