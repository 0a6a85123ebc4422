package network

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

func testLab(t *testing.T) topology.Lab {
	t.Helper()
	lab, err := topology.Build("unit", "", []topology.Host{
		{Name: "kube-master-1", Role: topology.Master, Address: netip.MustParseAddr("10.90.0.11")},
		{Name: "kube-node-1", Role: topology.Node, Address: netip.MustParseAddr("10.90.0.21")},
		{Name: "f5-a", Role: topology.Router, Address: netip.MustParseAddr("10.90.0.5")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func TestCutElements(t *testing.T) {
	lab := testLab(t)
	m, n := lab.Port("kube-master-1", 0), lab.Port("kube-node-1", 0)
	for _, tc := range []struct {
		cut  Cut
		set  string
		want string
	}{
		{Cut{"kube-master-1", "kube-node-1"}, "cut", `"` + m + `" . "` + n + `" "` + n + `" . "` + m + `"`},
		{Cut{"kube-node-1", Everyone}, "isolated", `"` + n + `"`},
		{Cut{"kube-node-1", topology.Gateway}, "ungated", `"` + n + `"`},
		{Cut{topology.Gateway, "kube-node-1"}, "ungated", `"` + n + `"`},
		{Cut{"f5-a", Everyone}, "isolated", `"` + lab.Port("f5-a", 0) + `" "` + lab.Port("f5-a", 1) + `"`},
	} {
		set, elements, err := tc.cut.elements(lab)
		if err != nil {
			t.Errorf("%v: %v", tc.cut, err)
		}
		if got := strings.Join(elements, " "); set != tc.set || got != tc.want {
			t.Errorf("%v: %s { %s }, want %s { %s }", tc.cut, set, got, tc.set, tc.want)
		}
	}
}

func TestCutRefusesWhatIsNoParty(t *testing.T) {
	lab := testLab(t)
	for cut, want := range map[Cut]string{
		{"kube-nod-1", "kube-node-1"}:  `"kube-nod-1" is no party of lab "unit": it has admin, gateway, mirror, kube-master-1, kube-node-1, f5-a, f5-a-client`,
		{"kube-node-1", "kube-node-1"}: "cut kube-node-1 kube-node-1: a party cannot be cut from itself",
		{topology.Gateway, Everyone}:   `"*" is no party of lab "unit": it has admin, gateway, mirror, kube-master-1, kube-node-1, f5-a, f5-a-client`,
	} {
		_, _, err := cut.elements(lab)
		if err == nil || err.Error() != want {
			t.Errorf("%v: %v\nwant %s", cut, err, want)
		}
	}
}

func TestParseRate(t *testing.T) {
	for in, want := range map[string]Rate{"none": 0, "50mbit": 50e6, "8kbit": 8e3, "1gbit": 1e9, "1500kbit": 1500e3} {
		got, err := ParseRate(in)
		if err != nil || got != want {
			t.Errorf("ParseRate(%q) = %d, %v; want %d", in, got, err, want)
		}
		if again, err := ParseRate(got.String()); err != nil || again != got {
			t.Errorf("%q prints as %q, which reads as %d, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "50", "50mb", "0mbit", "-1mbit", "1kbit", "200gbit", "5 mbit", "1e3kbit"} {
		if got, err := ParseRate(in); err == nil {
			t.Errorf("ParseRate(%q) = %d, want an error", in, got)
		}
	}
}
