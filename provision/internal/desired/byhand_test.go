package desired

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
	"github.com/droverctl/drover/provision/report"
)

const handInventory = `
cluster "c1" { masters = ["m1"] }
bigip "f5-a" {
  peer_address = "10.90.0.5"
  manage       = "ssh"
}
bigip "f5-b" {
  peer_address = "10.90.0.6"
  password     = "s3cret-word"
  wait         = "2m"
}
kube_master "m1" { address = "10.90.0.11" }
kube_node "n1" { address = "10.90.0.21" }
kube_node "n2" { address = "10.90.0.22" }
`

// birdSays is what a host's BIRD prints of its sessions with the two.
func birdSays(b string) string {
	return "BIRD v0.3.3 ready.\nname     proto    table    state  since       info\n" +
		"Global_10_90_0_5 BGP      master   up     16:59:04    Established   \n" +
		"Global_10_90_0_6 BGP      master   " + b + "\n"
}

var (
	upSays   = birdSays("up     16:59:04    Established   ")
	downSays = birdSays("start  16:59:01    Active        Socket: Connection refused")
)

func handMade(t *testing.T, away ...string) (*inventory.Cluster, []resource.Resource) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.hcl")
	if err := os.WriteFile(path, []byte(handInventory), 0o644); err != nil {
		t.Fatal(err)
	}
	c, problems := inventory.Load(path)
	if c == nil {
		t.Fatal(problems)
	}
	return c, build(t, path, away...)
}

// sessionsPlan plans the sessions alone, from what each host's BIRD says.
func sessionsPlan(t *testing.T, rs []resource.Resource, birds map[string]string) plan.Plan {
	t.Helper()
	s := seen(rs)
	for name, text := range birds {
		snap := s.Hosts[name]
		snap.BIRD = text
		s.Hosts[name] = snap
	}
	var items []plan.Item
	have := map[plan.ID]plan.State{}
	for _, r := range rs {
		item := r.Item()
		if !strings.HasSuffix(string(item.ID), "/bgp:f5-b") {
			continue
		}
		if want := []plan.ID{resource.GateID(gateWorkloads)}; !slices.Equal(item.Needs, want) || !r.Scope().BIRD {
			t.Errorf("%s needs %v, and looks at %+v", item.ID, item.Needs, r.Scope())
		}
		item.Needs = nil
		state, err := r.Observe(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		items, have[item.ID] = append(items, item), state
	}
	p, err := plan.Diff("c1", items, have)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSessionsByHand(t *testing.T) {
	whole := []string{"m1/bgp:f5-b create absent", "n1/bgp:f5-b create absent", "n2/bgp:f5-b create absent"}
	for name, c := range map[string]struct {
		birds       map[string]string
		away        string
		pending     []string
		up, missing []string
		enter       []string // nil: all of the peering
	}{
		"bare machines": {nil, "", whole, nil, []string{"m1", "n1", "n2"}, nil},
		"all are up":    {map[string]string{"m1": upSays, "n1": upSays, "n2": upSays}, "", nil, []string{"m1", "n1", "n2"}, nil, []string{}},
		"one was added": {
			map[string]string{"m1": upSays, "n1": upSays, "n2": downSays}, "",
			[]string{"n2/bgp:f5-b update session with f5-b is Active (Socket: Connection refused), not Established"},
			[]string{"m1", "n1"}, []string{"n2"},
			[]string{"enable", "configure terminal", "router bgp 64512", " neighbor 10.90.0.22 peer-group c1", "end", "write"},
		},
		"BIRD does not answer": {
			map[string]string{"m1": upSays, "n1": "exit code 124", "n2": birdSays("")}, "",
			[]string{
				"n1/bgp:f5-b update session with f5-b is not known: not what BIRD's \"show protocols\" prints: \"exit code 124\", not Established",
				"n2/bgp:f5-b update session with f5-b is none, not Established",
			},
			[]string{"m1"}, []string{"n1", "n2"},
			[]string{"enable", "configure terminal", "router bgp 64512", " neighbor 10.90.0.21 peer-group c1", " neighbor 10.90.0.22 peer-group c1", "end", "write"},
		},
		"one is away": {
			map[string]string{"m1": upSays, "n1": downSays}, "n2",
			[]string{"n1/bgp:f5-b update session with f5-b is Active (Socket: Connection refused), not Established"},
			[]string{"m1"}, []string{"n1"},
			[]string{"enable", "configure terminal", "router bgp 64512", " neighbor 10.90.0.21 peer-group c1", "end", "write"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, rs := handMade(t, c.away)
			p := sessionsPlan(t, rs, c.birds)
			var pending []string
			for _, change := range p.Pending() {
				pending = append(pending, fmt.Sprintf("%s %s %s", change.ID, change.Action, change.Reason))
			}
			if d := cmp.Diff(c.pending, pending); d != "" {
				t.Errorf("pending (-want +got):\n%s", d)
			}
			if c.enter == nil {
				c.enter = bgp.Render(bgp.New(cluster, cluster.BigIPs[1]))
			}
			want := []plan.ByHand{{BigIP: "f5-b", Up: append([]string{}, c.up...), Missing: append([]string{}, c.missing...), Enter: c.enter, WaitSeconds: 120}}
			got := ByHand(cluster, p, nil)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("by hand (-want +got):\n%s", d)
			}
			if strings.Contains(fmt.Sprint(got), "s3cret") {
				t.Error("the password is shown")
			}
		})
	}
}

// What a run brought about counts, and what it did not stays missing.
func TestByHandAfterARun(t *testing.T) {
	c, rs := handMade(t)
	p := sessionsPlan(t, rs, map[string]string{"m1": upSays, "n1": downSays, "n2": downSays})
	run := []report.Outcome{
		{Change: plan.Change{Item: plan.Item{ID: "n1/bgp:f5-b"}}, Kind: report.Done},
		{Change: plan.Change{Item: plan.Item{ID: "n2/bgp:f5-b"}}, Kind: report.Failed},
	}
	got := ByHand(c, p, run)
	if len(got) != 1 || !slices.Equal(got[0].Up, []string{"m1", "n1"}) || !slices.Equal(got[0].Missing, []string{"n2"}) {
		t.Errorf("%+v", got)
	}
}

// shell is a host of which only BIRD is asked.
type shell struct{ bird func() (string, error) }

func (shell) Name() string { return "n2" }

func (s shell) Probe(context.Context, host.Cmd) (host.Result, error) {
	text, err := s.bird()
	return host.Result{Stdout: []byte(text)}, err
}

func (shell) Run(context.Context, host.Cmd) (host.Result, error) {
	return host.Result{}, errors.New("a wait changes nothing")
}

func (shell) Upload(context.Context, string, host.Content, host.FileMeta) error {
	return errors.New("nothing is written to wait for a session")
}

func (shell) WriteFiles(context.Context, []host.File) error {
	return errors.New("nothing is written to wait for a session")
}

func (shell) WriteFile(context.Context, string, []byte, host.FileMeta) error {
	return errors.New("a wait changes nothing")
}

func TestWaitingForTheSession(t *testing.T) {
	_, rs := handMade(t)
	i := slices.IndexFunc(rs, func(r resource.Resource) bool { return r.Item().ID == "n2/bgp:f5-b" })
	step := rs[i].(resource.Step)
	if !step.ChangesNothing() {
		t.Error("it would hold up its host")
	}
	// run waits for a BIRD that says different things as time passes.
	run := func(t *testing.T, says func(since time.Duration) (string, error)) (told []string, took time.Duration, err error) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			h := shell{func() (string, error) { return says(time.Since(start)) }}
			w := resource.World{Hosts: map[string]host.Writer{"n2": h}, Waiting: func(s string) { told = append(told, s) }}
			err = step.Apply(t.Context(), w, plan.Change{})
			took = time.Since(start)
		})
		return told, took, err
	}
	states := []string{"Active        Socket: Connection refused", "Connect", "OpenSent"}
	flapping := func(since time.Duration) string {
		return birdSays("start  16:59:01    " + states[int(since.Seconds())/5%len(states)])
	}

	t.Run("entered", func(t *testing.T) {
		told, took, err := run(t, func(since time.Duration) (string, error) {
			switch {
			case since < 40*time.Second:
				return downSays, nil
			case since < 45*time.Second:
				return "", errors.New("connection lost")
			}
			return upSays, nil
		})
		if err != nil || took < 45*time.Second || took > 49*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if want := []string{"the session with f5-b is Active (Socket: Connection refused)", "connection lost"}; !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
	})
	t.Run("the deadline", func(t *testing.T) {
		told, took, err := run(t, func(since time.Duration) (string, error) { return flapping(since), nil })
		if took != 2*time.Minute {
			t.Errorf("it waited %s", took)
		}
		if len(told) < 3 || len(told) > 5 {
			t.Errorf("in two minutes it told %d times: %q", len(told), told)
		}
		for _, part := range []string{"waited 2m0s for n2 to see its session with f5-b: the session with f5-b is ", "f5-b is managed by hand: `drover bgp render f5-b`", `"neighbor 10.90.0.22 peer-group c1"`} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v\nlacks %s", err, part)
			}
		}
	})
}
