package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/fanout"
	"github.com/droverctl/drover/provision/internal/survey"
)

func reachRows() map[string]row {
	const api = "10.90.0.11:6443"
	return map[string]row{
		"a port that packets to are dropped, rejected, not routed": {
			change: func(w *world) {
				w.outcomes["n1 m1 6443"], w.outcomes["n2 m1 6443"] = Silent, Silent
				w.outcomes["m1 n1 10250"] = Refused
				w.outcomes["m1 n2 10250"] = NoRoute
				w.outcomes["n2 n1 179"] = "name too long"
			},
			want: []string{
				"FAIL port-unreachable m1: there is no connection to its port 6443 (the API server) from n1, n2: no answer",
				"FAIL port-unreachable n1: there is no connection to its port 10250 (the kubelet) from m1: connection refused",
				"FAIL port-unreachable n2: there is no connection to its port 10250 (the kubelet) from m1: no route to host",
				"FAIL port-unreachable n1: there is no connection to its port 179 (Calico's BGP) from n2: name too long",
			},
		},
		"a BIG-IP that refuses for now": {
			change: func(w *world) {
				w.bigIP(inventory.ManageSSH)
				w.outcomes["n1 f5 179"] = Refused
			},
		},
		"a BIG-IP that does not answer": {
			change: func(w *world) {
				w.bigIP(inventory.ManageSSH)
				w.outcomes["n1 f5 179"] = Silent
			},
			want: []string{"FAIL port-unreachable n1: it does not reach f5 for BGP, at 10.90.0.5:179: no answer"},
		},
		"a BIG-IP that somebody is yet to make ready": {
			change: func(w *world) {
				w.bigIP(inventory.ManageManual)
				w.outcomes["n1 f5 179"] = NoRoute
			},
			want: []string{"WARN port-unreachable n1: it does not reach f5 for BGP, at 10.90.0.5:179: no route to host"},
		},
		"a member's port that nobody may listen on": {
			change: func(w *world) {
				w.member("m1")
				w.outcomes["n1 m1 6443"] = Refused
			},
			want: []string{"WARN port-unreachable m1: there is no connection to its port 6443 (the API server) from n1: connection refused, so nobody listens there, or a firewall rejects it"},
		},
		"a member's port that is served": {
			change: func(w *world) {
				w.member("m1")
				w.listen("m1", "[::]:6443", survey.Listener{Program: "kube-apiserver", Exe: "/opt/drover/x"})
				w.outcomes["n1 m1 6443"] = Refused
			},
			want: []string{"FAIL port-unreachable m1: there is no connection to its port 6443 (the API server) from n1: connection refused"},
		},
		"hosts that could not be asked": {
			change: func(w *world) { w.mute["n2"], w.deaf["n1"] = "sshd forbids it", "no systemd-socket-activate" },
			want: []string{
				"WARN port-unreachable n2: which ports it reaches on others could not be looked at: sshd forbids it",
				"WARN port-unreachable n1: whether others reach its ports could not be looked at: no systemd-socket-activate",
			},
		},
		"a host that nobody can have releases from": {
			change: func(w *world) {
				w.c.Artifacts = inventory.Artifacts{FanOut: true, FanOutPort: 10270}
				w.f["m1"].Commands["curl"], w.f["n1"].Commands["curl"], w.f["n2"].Commands["curl"] = true, true, true
				w.outcomes["m1 n1 10270"], w.outcomes["n2 n1 10270"] = Silent, Silent
			},
			want: []string{"WARN port-unreachable n1: there is no connection to its port 10270 (releases that hosts hand on) from m1, n2: no answer"},
		},
		"a run that was killed hands releases on for a moment yet": {
			change: func(w *world) {
				w.c.Artifacts = inventory.Artifacts{FanOut: true, FanOutPort: 10270}
				w.f["m1"].Commands["curl"], w.f["n1"].Commands["curl"], w.f["n2"].Commands["curl"] = true, true, true
				w.listen("n1", "10.90.0.21:10270", survey.Listener{Program: "systemd-socket-", Unit: fanout.UnitPrefix + "12ab.service"})
			},
		},
		"the port for that is taken": {
			change: func(w *world) {
				w.c.Artifacts = inventory.Artifacts{FanOut: true, FanOutPort: 10270}
				w.f["m1"].Commands["curl"], w.f["n1"].Commands["curl"] = true, true
				w.listen("n1", "0.0.0.0:10270", survey.Listener{Program: "exporter", Unit: "exporter.service"})
			},
			want: []string{
				"FAIL package-missing n2: it lacks the package curl (there is no command curl): hosts fetch releases from each other with it",
				"FAIL port-taken n1: port 10270, for releases that hosts hand on, is taken: exporter (pid 0, exporter.service) listens on 0.0.0.0:10270",
			},
		},
		"another preflight listens": {
			change: func(w *world) {
				w.listen("m1", api, survey.Listener{Program: "systemd-socket-", Unit: ListenPrefix + "12ab.service"})
			},
		},
	}
}

// told are links as a test writes them.
func told(links []Link) []string {
	out := []string{}
	for _, l := range links {
		line := fmt.Sprintf("%s %s %d %s", l.From, l.To, l.At.Port(), l.Ear)
		if !l.Must {
			line += " (can do without)"
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func all(string) bool { return true }

func TestLinks(t *testing.T) {
	w := well()
	w.bigIP(inventory.ManageManual)
	w.c.KubeMasters = append(w.c.KubeMasters, inventory.Host{Role: inventory.RoleMaster, Name: "m2", Address: netip.MustParseAddr("10.90.0.9")})
	w.c.KubeNodes[1].Kubelet.Config = inventory.Settings{"port": int64(10260)}
	w.f["m2"] = w.f["m1"]
	want := []string{
		"m1 f5 179 peer (can do without)", "m1 m2 10250 nobody", "m1 m2 2379 nobody (can do without)", "m1 m2 2380 nobody", "m1 m2 6443 nobody",
		"m1 n1 10250 nobody", "m1 n2 10260 nobody",
		// The greater address as text is not that as a number.
		"m2 f5 179 peer (can do without)", "m2 m1 10250 nobody", "m2 m1 179 nobody", "m2 m1 2379 nobody (can do without)", "m2 m1 2380 nobody", "m2 m1 6443 nobody",
		"m2 n1 10250 nobody", "m2 n1 179 nobody", "m2 n2 10260 nobody", "m2 n2 179 nobody",
		"n1 f5 179 peer (can do without)", "n1 m1 179 nobody", "n1 m1 6443 nobody", "n1 m2 6443 nobody",
		"n2 f5 179 peer (can do without)", "n2 m1 179 nobody", "n2 m1 6443 nobody", "n2 m2 6443 nobody", "n2 n1 179 nobody",
	}
	if d := cmp.Diff(want, told(Links(w.c, w.f, all))); d != "" {
		t.Errorf("a new cluster (-want +got):\n%s", d)
	}

	// One node joins: what is a cluster already has been proven. Of m2 nothing was
	// asked, and n1 does not answer.
	w.member("m1")
	w.listen("m1", "0.0.0.0:6443", survey.Listener{Program: "kube-apiserver"})
	w.listen("m1", "127.0.0.1:179", survey.Listener{Program: "another"})
	w.listen("n2", "10.90.0.22:10260", survey.Listener{Program: "preflight", Unit: ListenPrefix + "1.service"})
	delete(w.f, "m2")
	w.c.API.Endpoint = ""
	want = []string{
		"m1 n2 10260 nobody", "m2 n2 10260 nobody", "m2 n2 179 nobody",
		"n2 f5 179 peer (can do without)", "n2 m1 179 unknown", "n2 m1 6443 somebody", "n2 m2 6443 unknown",
	}
	if d := cmp.Diff(want, told(Links(w.c, w.f, func(h string) bool { return h != "n1" }))); d != "" {
		t.Errorf("a node that joins (-want +got):\n%s", d)
	}
	// A run was killed on n2 after its kubelet had begun, which brings the others up.
	for active, want := range map[string]string{"active": "m1 n2 10260 unknown", "activating": "m1 n2 10260 unknown", "inactive": "m1 n2 10260 nobody"} {
		f := w.f["n2"]
		f.Units = []survey.Unit{{Name: "kubelet.service", Active: active, Ours: true}, {Name: "etcd.service", Active: "active"}}
		w.f["n2"] = f
		if got := told(Links(w.c, w.f, all)); !slices.Contains(got, want) {
			t.Errorf("a kubelet that is %s: %s, not %s", active, got, want)
		}
	}
	w.c.API.Endpoint = "k8s.example.net:6443"
	if got := told(Links(w.c, w.f, all)); slices.Contains(got, "n2 m1 6443 somebody") {
		t.Error("nobody goes to a master past the operator's endpoint")
	}
	w.member("n1")
	w.member("n2")
	if got := Links(w.c, w.f, all); len(got) > 0 {
		t.Errorf("between members: %s", told(got))
	}
}

// Who may hand releases on to whom is all that join, or neighbours where they are many.
func TestLinksOfAFanOut(t *testing.T) {
	w := well()
	w.c.Artifacts = inventory.Artifacts{FanOut: true, FanOutPort: 10270}
	of := func() map[string]int {
		count := map[string]int{}
		for _, l := range Links(w.c, w.f, all) {
			if l.At.Port() == 10270 && !l.Must {
				count[l.From]++
			}
		}
		return count
	}
	if d := cmp.Diff(map[string]int{"m1": 2, "n1": 2, "n2": 2}, of()); d != "" {
		t.Errorf("three hosts (-want +got):\n%s", d)
	}
	w.member("m1")
	if d := cmp.Diff(map[string]int{"n1": 1, "n2": 1}, of()); d != "" {
		t.Errorf("two that join (-want +got):\n%s", d)
	}
	for n := range 100 {
		name := fmt.Sprintf("x%d", n)
		w.c.KubeNodes = append(w.c.KubeNodes, inventory.Host{Role: inventory.RoleNode, Name: name, Address: netip.AddrFrom4([4]byte{10, 91, 0, byte(n)})})
		w.f[name] = survey.Facts{Host: name}
	}
	for name, n := range of() {
		if n != 2 {
			t.Errorf("of many, %s has %d", name, n)
		}
	}
}

// Pairs grow with the square of the hosts; what is tried does not.
func TestLinksOfManyHosts(t *testing.T) {
	many := func(nodes int) []Link {
		w := well()
		w.c.KubeNodes = nil
		for n := range nodes {
			name := fmt.Sprintf("n%d", n)
			w.c.KubeNodes = append(w.c.KubeNodes, inventory.Host{Role: inventory.RoleNode, Name: name, Address: netip.AddrFrom4([4]byte{10, 91, byte(n / 200), byte(1 + n%200)})})
			w.f[name] = survey.Facts{Host: name}
		}
		w.c.Calico.Topology = inventory.TopologyMesh
		links := Links(w.c, w.f, all)
		w.c.Calico.Topology, w.c.Calico.RouteReflectors = inventory.TopologyRouteReflectors, []string{"n0"}
		if got := Links(w.c, w.f, all); nodes > 3 && (len(got) >= len(links) || !slices.ContainsFunc(got, func(l Link) bool { return l.From == "n2" && l.To == "n0" })) {
			t.Errorf("with a route reflector %d, without %d", len(got), len(links))
		}
		return links
	}
	// A node's: to the API, from it to the kubelet, and BGP with each host before it.
	if got := len(many(15)); got != 2*15+16*15/2 {
		t.Errorf("a full mesh of 16: %d", got)
	}
	links := many(900)
	if len(links) != 4*900-1 { // the master is the neighbour of two besides
		t.Errorf("901 hosts: %d", len(links))
	}
	of := map[string]int{}
	for _, l := range links {
		of[l.From]++
		of[l.To]++
	}
	for name, n := range of {
		if n != 5 && name != "m1" && name != "n0" && name != "n899" { // with the master three, and two neighbours
			t.Errorf("%s has %d links", name, n)
		}
	}
}
