package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// realLab is a small lab whose network can be made of this machine's kernel. It
// is gone after the test.
func realLab(t *testing.T) topology.Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces")
	}
	for _, command := range []string{"ip", "tc", "nft", "sysctl"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skip(err)
		}
	}
	lab, err := topology.Build(fmt.Sprintf("unit-%d", os.Getpid()), "", []topology.Host{
		{Name: "kube-node-1", Role: topology.Node, Address: netip.MustParseAddr("10.94.0.21")},
		{Name: "f5-a", Role: topology.Router, Address: netip.MustParseAddr("10.94.0.5")},
	})
	if err != nil {
		t.Fatal(err)
	}
	destroy := func() {
		if err := Destroy(context.Background(), lab.Name); err != nil {
			t.Errorf("what is left: %v", err)
		}
	}
	destroy()
	t.Cleanup(func() {
		destroy()
		destroy() // of what is gone: done
		if left, err := Namespaces(lab.Name); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if _, err := net.InterfaceByName(topology.AdminLink(lab.Name)); err == nil {
			t.Error("left behind: this machine's link")
		}
	})
	return lab
}

func do(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := run(t.Context(), "", argv[0], argv[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// From wherever a killed command stopped, Ensure goes on to a whole network.
func TestEnsureGoesOnFromAnywhere(t *testing.T) {
	lab := realLab(t)
	ctx := t.Context()
	fabric, mirror := fabricNS(lab.Name), Namespace(lab.Name, topology.Mirror)
	link, port := topology.AdminLink(lab.Name), lab.Port(topology.Admin, 0)
	for _, tc := range []struct {
		what string
		harm [][]string
	}{
		{"nothing there", nil},
		{"all there", nil},
		{"a fabric without its bridge", [][]string{{"ip", "-n", fabric, "link", "del", "fabric"}}},
		{"this machine's link still in the fabric", [][]string{
			{"ip", "link", "del", link},
			{"ip", "-n", fabric, "link", "add", port, "type", "veth", "peer", "name", link},
		}},
		{"this machine's link without address", [][]string{{"ip", "addr", "flush", "dev", link}, {"ip", "link", "set", link, "down"}}},
		{"the mirror's namespace without its port", [][]string{{"ip", "-n", fabric, "link", "del", lab.Port(topology.Mirror, 0)}}},
		{"the mirror's port without address", [][]string{{"ip", "-n", mirror, "addr", "flush", "dev", "eth0"}, {"ip", "-n", mirror, "link", "set", "eth0", "down"}}},
		{"a fabric that ip was killed at", [][]string{{"ip", "link", "del", link}, {"ip", "netns", "del", fabric}, {"touch", namespaceDir + "/" + fabric}}},
		{"a mirror's namespace that ip was killed at", [][]string{{"ip", "netns", "del", mirror}, {"touch", namespaceDir + "/" + mirror}}},
		{"no table of cuts", [][]string{{"ip", "netns", "exec", fabric, "nft", "flush", "ruleset"}}},
	} {
		for _, argv := range tc.harm {
			do(t, argv...)
		}
		if err := Ensure(ctx, lab); err != nil {
			t.Fatalf("%s: %v", tc.what, err)
		}
		if got := do(t, "ip", "-o", "-4", "addr", "show", "dev", link); !strings.Contains(got, lab.Admin.String()+"/24") {
			t.Errorf("%s: this machine has %q", tc.what, got)
		}
		if got := do(t, "ip", "-n", mirror, "-o", "-4", "addr", "show", "dev", "eth0"); !strings.Contains(got, lab.Mirror.String()+"/24") {
			t.Errorf("%s: the mirror has %q", tc.what, got)
		}
		// Reached is reached: the kernel of the mirror's namespace refuses, as
		// nothing listens there.
		if _, err := net.DialTimeout("tcp", lab.Mirror.String()+":80", 5*time.Second); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: the mirror is not reached: %v", tc.what, err)
		}
		if cuts, err := Cuts(ctx, lab); err != nil || len(cuts) > 0 {
			t.Errorf("%s: cuts %v, %v", tc.what, cuts, err)
		}
	}
}

// A machine finds its cards, addresses, routes and hardware addresses as they
// were, each time it is attached.
func TestAttachAndDetach(t *testing.T) {
	lab := realLab(t)
	ctx := t.Context()
	if err := Ensure(ctx, lab); err != nil {
		t.Fatal(err)
	}
	gateway := func() string {
		return do(t, "ip", "netns", "exec", fabricNS(lab.Name), "cat", "/sys/class/net/"+lab.Fabric().Bridge+"/address")
	}
	mac := gateway()
	do(t, "ip", "-n", fabricNS(lab.Name), "link", "add", "least", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "most")
	do(t, "ip", "-n", fabricNS(lab.Name), "link", "set", "least", "master", lab.Fabric().Bridge)
	if now := gateway(); now != mac {
		t.Errorf("with a port more the gateway is %s and was %s", now, mac)
	}
	for _, m := range lab.Machines {
		var before string
		for range 2 {
			if err := Attach(ctx, lab, m); err != nil {
				t.Fatal(err)
			}
			if on, err := Attached(ctx, lab, m); err != nil || !on {
				t.Errorf("%s: attached, and Attached says %v, %v", m.Name, on, err)
			}
			now := do(t, "ip", "-n", Namespace(lab.Name, m.Name), "-br", "-4", "addr") + do(t, "ip", "-n", Namespace(lab.Name, m.Name), "route")
			for n, i := range m.Interfaces {
				now += do(t, "ip", "netns", "exec", Namespace(lab.Name, m.Name), "cat", "/sys/class/net/"+i.Name+"/address")
				if !strings.Contains(now, i.Address.String()) || !strings.Contains(now, lab.MAC(m.Name, n).String()) {
					t.Errorf("%s lacks %s or %s: %s", m.Name, i.Address, lab.MAC(m.Name, n), now)
				}
			}
			for _, r := range m.Routes {
				if !strings.Contains(now, "default via "+r.Via.String()) {
					t.Errorf("%s lacks the way by %s: %s", m.Name, r.Via, now)
				}
			}
			// The peers' indexes and when a card is seen to be up are the kernel's own.
			if now = lasting(now); before != "" && now != before {
				t.Errorf("%s finds other cards than before:\n%s\nbefore:\n%s", m.Name, now, before)
			}
			before = now
		}
		for range 2 { // of what is off: done
			if err := Detach(ctx, lab, m); err != nil {
				t.Fatal(err)
			}
		}
		if on, err := Attached(ctx, lab, m); err != nil || on {
			t.Errorf("%s: detached, and Attached says %v, %v", m.Name, on, err)
		}
	}
}

func lasting(s string) string {
	var words []string
	for _, w := range strings.Fields(s) {
		if name, _, _ := strings.Cut(w, "@if"); name != "UP" && name != "DOWN" {
			words = append(words, name)
		}
	}
	return strings.Join(words, " ")
}

// What was cut is read back from the kernel as it was named, and what was not
// there can be healed, too.
func TestCutsAreReadBack(t *testing.T) {
	lab := realLab(t)
	ctx := t.Context()
	if err := Ensure(ctx, lab); err != nil {
		t.Fatal(err)
	}
	cuts := []Cut{
		{topology.Admin, "kube-node-1"},
		{"f5-a", Everyone},
		{"f5-a", "kube-node-1"},
		{"kube-node-1", topology.Gateway},
		{"kube-node-1", topology.Mirror},
	}
	for _, c := range cuts {
		for range 2 {
			if err := c.Apply(ctx, lab); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := Cuts(ctx, lab); err != nil || !slices.Equal(got, cuts) {
		t.Errorf("cuts %v, %v; want %v", got, err, cuts)
	}
	for _, c := range cuts {
		for range 2 {
			if err := (Cut{c.B, c.A}).Heal(ctx, lab); c.B == Everyone && err == nil {
				t.Error("all can be healed of one, not one of all")
			} else if c.B == Everyone {
				err = c.Heal(ctx, lab)
				if err != nil {
					t.Fatal(err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := Cuts(ctx, lab); err != nil || len(got) > 0 {
		t.Errorf("healed, and cuts %v, %v", got, err)
	}
}

// What is opened inside of a namespace belongs to it, and the thread comes back.
func TestEnter(t *testing.T) {
	lab := realLab(t)
	if err := Ensure(t.Context(), lab); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("as f says")
	err := Enter(Namespace(lab.Name, topology.Mirror), func() error {
		if _, err := net.InterfaceByName("eth0"); err != nil {
			t.Errorf("inside: %v", err)
		}
		if _, err := net.InterfaceByName(topology.AdminLink(lab.Name)); err == nil {
			t.Error("inside, and this machine's link is seen")
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("%v, want what f returned", err)
	}
	if _, err := net.InterfaceByName(topology.AdminLink(lab.Name)); err != nil {
		t.Errorf("after it: %v", err)
	}
	if err := Enter("no-such", func() error { t.Error("called"); return nil }); err == nil || !strings.Contains(err.Error(), "namespace no-such") {
		t.Errorf("no such namespace: %v", err)
	}
}

// The directory of namespaces is as it was before the first, once the last of
// anybody is gone.
func TestTidy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	dir := t.TempDir()
	mounted := func() bool {
		content, err := os.ReadFile("/proc/self/mounts")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(content), " "+dir+" ")
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // for when the test fails half-way
	of := dir + "/somebody-else"
	if err := os.WriteFile(of, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := tidy(dir); err != nil || !mounted() {
		t.Errorf("in use, and unmounted: %v", err)
	}
	if err := os.Remove(of); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := tidy(dir); err != nil || mounted() {
			t.Errorf("empty, and mounted: %v", err)
		}
	}
	if err := tidy(dir + "/absent"); err != nil {
		t.Errorf("no directory: %v", err)
	}
}

func TestShapeSetsBothEnds(t *testing.T) {
	lab := realLab(t)
	ctx := t.Context()
	if err := Ensure(ctx, lab); err != nil {
		t.Fatal(err)
	}
	router := lab.Machines[1]
	if err := Attach(ctx, lab, router); err != nil {
		t.Fatal(err)
	}
	queues := func() string {
		return do(t, "tc", "-n", fabricNS(lab.Name), "qdisc") + do(t, "tc", "-n", Namespace(lab.Name, router.Name), "qdisc")
	}
	if err := Shape(ctx, lab, router.Name, 50e6); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(queues(), "tbf"); got != 4 { // two cards, both ends
		t.Errorf("%d limits, want 4:\n%s", got, queues())
	}
	if err := Shape(ctx, lab, router.Name, 0); err != nil {
		t.Fatal(err)
	}
	if got := queues(); strings.Contains(got, "tbf") {
		t.Errorf("lifted, and:\n%s", got)
	}
	for _, party := range []string{topology.Admin, topology.Mirror} {
		if err := Shape(ctx, lab, party, 1e6); err != nil {
			t.Error(err)
		}
	}
	if err := Shape(ctx, lab, topology.Gateway, 1e6); err == nil {
		t.Error("the gateway has no port to limit")
	}
}
