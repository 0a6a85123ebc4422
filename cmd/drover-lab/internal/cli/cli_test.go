package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/droverctl/drover/cmd/drover-lab/internal/lockfile"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
)

// Exit codes are what scripts rely on: each kind of error has one, however
// deeply it is wrapped.
func TestReport(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	problem := diag.Problems{{Code: "x", Summary: "it is wrong", Fix: "right it"}}
	for _, tc := range []struct {
		ctx  context.Context
		err  error
		code int
		says string
	}{
		{t.Context(), errors.New("no luck"), 1, "drover-lab: no luck\n"},
		{t.Context(), fmt.Errorf("up: %w", usageError{errors.New("which?")}), 64, "drover-lab: up: which?\n"},
		{t.Context(), problem, 65, "it is wrong"},
		{t.Context(), fmt.Errorf("lab: %w", &lockfile.BusyError{Holder: "up, pid 7"}), 75, "another drover-lab is at work (up, pid 7)"},
		{ended, errors.New("cancelled"), 130, "`drover-lab up` goes on from here"},
	} {
		var out strings.Builder
		if code := report(tc.ctx, tc.err, &out); code != tc.code || !strings.Contains(out.String(), tc.says) {
			t.Errorf("%v: exit %d and %q; want %d and %q", tc.err, code, out.String(), tc.code, tc.says)
		}
	}
}

// A wrong call is exit 64, whichever verb it is of and however it is wrong.
func TestWrongCallsAreUsageErrors(t *testing.T) {
	root := newRoot(Streams{Out: io.Discard, Err: io.Discard})
	visit(root, nil, func(path []string, c *cobra.Command) {
		for _, wrong := range [][]string{{"--no-such-flag"}, {"a", "b", "c", "d", "e"}} {
			takesMany := c.Name() == "ssh" || c.Name() == "router" || c.Name() == "logs" || c.Name() == "power" || c.Name() == "build" || c.Name() == "help"
			if takesMany && wrong[0] != "--no-such-flag" || c.Name() == "help" {
				continue
			}
			var errs strings.Builder
			args := append(append([]string{"--state-dir", t.TempDir()}, path...), wrong...)
			if code := Run(t.Context(), args, Streams{Out: io.Discard, Err: &errs}); code != exitUsage {
				t.Errorf("drover-lab %s: exit %d, want 64: %s", strings.Join(args, " "), code, errs.String())
			}
		}
	})
}

func visit(c *cobra.Command, path []string, f func(path []string, c *cobra.Command)) {
	f(path, c)
	for _, sub := range c.Commands() {
		visit(sub, append(path[:len(path):len(path)], sub.Name()), f)
	}
}

// Verbs and flags that people and scripts use: one may be added here, none is
// ever taken away or given another meaning.
func TestVerbs(t *testing.T) {
	var got []string
	visit(newRoot(Streams{Out: io.Discard, Err: io.Discard}), nil, func(_ []string, c *cobra.Command) {
		if c.Hidden || c.HasParent() && c.Parent().Hidden || c.Name() == "help" {
			return
		}
		if c.Short == "" {
			t.Errorf("%s says nothing of itself", c.CommandPath())
		}
		line := c.CommandPath()
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { line += " --" + f.Name })
		got = append(got, line)
	})
	want := []string{
		"drover-lab --cache-dir --lab --state-dir",
		"drover-lab components",
		"drover-lab components build --download --mirror --registry",
		"drover-lab components list --output",
		"drover-lab cut",
		"drover-lab down",
		"drover-lab heal",
		"drover-lab logs",
		"drover-lab power",
		"drover-lab router",
		"drover-lab shape --rate",
		"drover-lab ssh",
		"drover-lab status --all --output",
		"drover-lab up --puppet --skip-components --without",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHosts(t *testing.T) {
	cluster, problems := inventory.Load("../../../../examples/lab")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	host := func(name string, role topology.Role, a string) topology.Host {
		return topology.Host{Name: name, Role: role, Address: netip.MustParseAddr(a)}
	}
	want := []topology.Host{
		host("kube-master-1", topology.Master, "10.90.0.11"),
		host("kube-master-2", topology.Master, "10.90.0.12"),
		host("kube-master-3", topology.Master, "10.90.0.13"),
		host("kube-node-1", topology.Node, "10.90.0.21"),
		host("kube-node-2", topology.Node, "10.90.0.22"),
		host("f5-a", topology.Router, "10.90.0.5"),
		host("f5-b", topology.Router, "10.90.0.6"),
	}
	if diff := cmp.Diff(want, hosts(cluster), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWithout(t *testing.T) {
	a := &app{streams: Streams{Err: io.Discard}}
	o, err := a.upOptions("../../../../examples/lab", []string{"kube-node-2=haproxy,conntrack", "kube-node-2=socat"})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range o.Hosts {
		want := ""
		if h.Name == "kube-node-2" {
			want = "haproxy conntrack socat"
		}
		if got := strings.Join(h.Without, " "); got != want {
			t.Errorf("%s is made without %q, want %q", h.Name, got, want)
		}
	}
	if o.Name != "lab" || !strings.HasSuffix(o.Inventory, "/examples/lab") || !strings.HasPrefix(o.Inventory, "/") {
		t.Errorf("lab %q from %q", o.Name, o.Inventory)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"show ip bgp": "'show ip bgp'", "it's; $x": `'it'\''s; $x'`, "": "''"} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}
