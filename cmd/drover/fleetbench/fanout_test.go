package fleetbench

import (
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/fleettest"
)

// pushed has drover send releases, and hosts hand them on.
const pushed = "pull = \"push\"\n  fan_out = true"

// sent is how often drover sent each component.
func sent(f *fleettest.Fleet) map[string]int {
	count := map[string]int{}
	for _, h := range f.Hosts {
		for _, op := range h.Machine.Ops() {
			if name, ok := strings.CutSuffix(op.Path, "/.sent"); ok {
				count[strings.TrimPrefix(name, "/opt/drover/")]++
			}
		}
	}
	return count
}

// drover sends each release to one host, the others have it from each other, and in
// the end nobody keeps anything for anybody.
func TestFanOut(t *testing.T) {
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 7})
	f.Artifacts = pushed
	f.Add(0)
	apply(t, f)
	count := sent(f)
	for _, component := range []string{"containerd", "runc", "cni-plugins", "kubelet", "kube-proxy", "etcd"} {
		if count[component] != 1 {
			t.Errorf("drover sent %s %d times", component, count[component])
		}
	}
	var handed int64
	for _, h := range f.Hosts {
		handed += h.Handed()
		if h.Keeps() > 0 {
			t.Errorf("%s keeps %d copies", h.Name, h.Keeps())
		}
	}
	if handed != 5*7 {
		t.Errorf("hosts handed on %d copies, want those of 5 components to 7 hosts", handed)
	}
	must(t, measured(t, f.Command(drover, "plan"), ""), 0)
}

// Where all hosts hand on wrong copies, each is found out, and drover sends the right
// ones.
func TestRottenHostsAreLeftOut(t *testing.T) {
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 5})
	f.Artifacts = pushed
	f.Add(0)
	for _, h := range f.Hosts {
		h.Rot()
	}
	out, err := f.Command(drover, "apply", "--auto-approve").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := 0
	for _, h := range f.Hosts {
		told := strings.Contains(string(out), "warning: "+h.Name+" hands on nothing any more: ")
		if told != (h.Handed() > 0) || h.Handed() > 2 {
			t.Errorf("%s handed on %d wrong copies; told: %v\n%s", h.Name, h.Handed(), told, out)
		}
		if told {
			found++
		}
	}
	if found == 0 {
		t.Errorf("nobody was found out\n%s", out)
	}
	must(t, measured(t, f.Command(drover, "plan", "--verify"), ""), 0)
}
