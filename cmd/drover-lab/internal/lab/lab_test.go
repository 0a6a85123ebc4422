package lab

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/internal/image"
	"github.com/droverctl/drover/cmd/drover-lab/internal/state"
	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

func testLabs(t *testing.T) (Labs, *strings.Builder) {
	t.Helper()
	var said strings.Builder
	return Labs{Root: state.Root(filepath.Join(t.TempDir(), "labs")), Progress: &said}, &said
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// Which lab a command means: the one named, the only one, or the one of which a
// killed up left no more than its lock.
func TestFind(t *testing.T) {
	labs, _ := testLabs(t)
	find := func(name, want, problem string) {
		t.Helper()
		got, err := labs.Find(name)
		if got != want || (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("Find(%q) = %q, %v; want %q, %q", name, got, err, want, problem)
		}
	}
	find("any", "any", "")
	find("", "", "there is no lab on this machine")
	touch(t, labs.Root.Lab("begun").LockPath())
	find("", "begun", "")
	touch(t, labs.Root.Lab("one").Path("lab.json"))
	find("", "one", "")
	touch(t, labs.Root.Lab("two").Path("lab.json"))
	find("", "", "there are 2 labs on this machine (one, two): say which with --lab")
}

func TestRaiseLimits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "max_user_instances")
	for _, tc := range []struct{ before, after, said string }{
		{"128\n", "8192", "from 128 to 8192"},
		{"8192\n", "8192\n", ""},
		{"1000000\n", "1000000\n", ""},
	} {
		labs, said := testLabs(t)
		if err := os.WriteFile(file, []byte(tc.before), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := labs.raiseLimits(file); err != nil {
			t.Error(err)
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != tc.after || !strings.Contains(said.String(), tc.said) || tc.said == "" && said.Len() > 0 {
			t.Errorf("%q became %q (%v), saying %q; want %q, %q", tc.before, got, err, said, tc.after, tc.said)
		}
	}
	labs, _ := testLabs(t)
	if err := os.WriteFile(file, []byte("many\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := labs.raiseLimits(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("no number: %v", err)
	}
	if err := labs.raiseLimits(file + ".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such limit: %v", err)
	}
}

// Every machine's error is told, in the machines' order.
func TestEach(t *testing.T) {
	var machines []topology.Machine
	for _, name := range []string{"a", "b", "c"} {
		machines = append(machines, topology.Machine{Name: name})
	}
	err := each(machines, func(m topology.Machine) error {
		if m.Name == "b" {
			return nil
		}
		return errors.New("no " + m.Name)
	})
	if err == nil || err.Error() != "no a\nno c" {
		t.Errorf("%v", err)
	}
}

// Machines a lab lacks are named with those it has.
func TestMachinesByName(t *testing.T) {
	l, err := topology.Build("one", "", []topology.Host{
		{Name: "kube-node-1", Role: topology.Node, Address: netip.MustParseAddr("10.90.0.21")},
		{Name: "kube-node-2", Role: topology.Node, Address: netip.MustParseAddr("10.90.0.22")},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := handle{lab: l}
	chosen, err := h.machines([]string{"kube-node-2", "kube-node-1"})
	if err != nil || len(chosen) != 2 || chosen[0].Name != "kube-node-2" {
		t.Errorf("%v, %v", chosen, err)
	}
	_, err = h.machines([]string{"kube-node-1", "kube-node-3"})
	if want := `"kube-node-3" is no machine of lab "one": it has kube-node-1, kube-node-2`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// A second up over a lab adds to what is there; a lab that cannot be read is no
// new one.
func TestPlan(t *testing.T) {
	labs, _ := testLabs(t)
	o := UpOptions{Name: "one", Hosts: []topology.Host{{Name: "kube-node-1", Role: topology.Node, Address: netip.MustParseAddr("10.90.0.21")}}}
	h, err := labs.plan(o)
	if err != nil || len(h.lab.Machines) != 1 {
		t.Fatalf("%+v, %v", h.lab, err)
	}
	touch(t, h.dir.Path("lab.json"))
	if _, err := labs.plan(o); err == nil || !strings.Contains(err.Error(), "lab.json") {
		t.Errorf("an empty lab.json: %v", err)
	}
	if err := h.dir.Save(h.lab); err != nil {
		t.Fatal(err)
	}
	o.Hosts = []topology.Host{{Name: "kube-node-2", Role: topology.Node, Address: netip.MustParseAddr("10.90.0.22")}}
	h, err = labs.plan(o)
	if err != nil || len(h.lab.Machines) != 2 || h.lab.Machines[0].Name != "kube-node-1" {
		t.Errorf("%+v, %v", h.lab, err)
	}
	if kinds := imageKinds(h.lab); slices.Contains(kinds, image.Puppet) {
		t.Errorf("without a Puppet server it takes %v", kinds)
	}
	o.Puppet = true
	h, err = labs.plan(o)
	if err != nil || len(h.lab.Machines) != 3 || h.lab.Machines[2].Role != topology.Puppet {
		t.Fatalf("%+v, %v", h.lab, err)
	}
	if kinds := imageKinds(h.lab); !slices.Contains(kinds, image.Puppet) {
		t.Errorf("with a Puppet server it takes %v", kinds)
	}
	m := made{images: map[image.Kind]image.Image{image.Host: {Rootfs: "host"}, image.Puppet: {Rootfs: "puppet"}}}
	if got := m.imageOf(h.lab.Machines[2]).Rootfs + " " + m.imageOf(h.lab.Machines[0]).Rootfs; got != "puppet host" {
		t.Errorf("a Puppet server and a node are made from %s", got)
	}
}
