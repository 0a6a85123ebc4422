package zebos

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// translate reads lines on top of a state and returns FRR's script.
func translate(t testing.TB, s State, lines string) (Script, *Parser, []error) {
	t.Helper()
	p := NewParser(s)
	var statements []Statement
	var errs []error
	n := 0
	for line := range strings.Lines(lines) {
		n++
		st, err := p.Parse(n, line)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		statements = append(statements, st)
	}
	return NewScript(statements), p, errs
}

func TestTranslate(t *testing.T) {
	for name, c := range map[string]struct {
		state       State
		zebos, want string
	}{
		"a new process gets ZebOS's defaults": {
			zebos: "router bgp 64512\n bgp router-id 10.0.0.1\n",
			want: "router bgp 64512\nno bgp ebgp-requires-policy\nno bgp network import-check\ntimers bgp 30 90\n" +
				"address-family ipv4 unicast\nmaximum-paths 1\nmaximum-paths ibgp 1\nexit-address-family\nbgp router-id 10.0.0.1\nexit\n",
		},
		"a running one keeps its settings": {
			state: State{AS: 64512}, zebos: "router bgp 64512\n timers bgp 3 10\n", want: "router bgp 64512\ntimers bgp 3 10\nexit\n",
		},
		"families are FRR's, lines are grouped": {
			state: State{AS: 1},
			zebos: "router bgp 1\nneighbor g peer-group\nneighbor g next-hop-self\nmax-paths ibgp 8\nneighbor g timers 3 10\n",
			want: "router bgp 1\nneighbor g peer-group\naddress-family ipv4 unicast\nneighbor g next-hop-self\nmaximum-paths ibgp 8\n" +
				"exit-address-family\nneighbor g timers 3 10\nexit\n",
		},
		"abbreviations": {
			state: State{AS: 1}, zebos: "rou b 1\n nei 10.0.0.1 rem 2\n nei 10.0.0.1 soft in\n",
			want: "router bgp 1\nneighbor 10.0.0.1 remote-as 2\naddress-family ipv4 unicast\nneighbor 10.0.0.1 soft-reconfiguration inbound\nexit-address-family\nexit\n",
		},
		"no goes back to ZebOS's default": {
			state: State{AS: 1}, zebos: "router bgp 1\nno timers bgp\nno max-paths ibgp\nno neighbor 10.0.0.1 password\nno neighbor 10.0.0.1 maximum-prefix 5\n",
			want: "router bgp 1\ntimers bgp 30 90\naddress-family ipv4 unicast\nmaximum-paths ibgp 1\nexit-address-family\n" +
				"no neighbor 10.0.0.1 password\naddress-family ipv4 unicast\nno neighbor 10.0.0.1 maximum-prefix\nexit-address-family\nexit\n",
		},
		"top level lines end a block": {
			state: State{AS: 1}, zebos: "router bgp 1\n!\nroute-map m permit 10\n match ip address prefix-list p\n!\nip prefix-list p permit 10.1.2.3/8\nno router bgp 1\n",
			want: "router bgp 1\nexit\nroute-map m permit 10\nmatch ip address prefix-list p\nexit\nip prefix-list p permit 10.0.0.0/8\nno router bgp 1\n",
		},
		"an address family of its own": {
			state: State{AS: 1}, zebos: "router bgp 1\n address-family ipv4\n neighbor g activate\n exit-address-family\n neighbor g remote-as 2\n",
			want: "router bgp 1\naddress-family ipv4 unicast\nneighbor g activate\nexit-address-family\nneighbor g remote-as 2\nexit\n",
		},
		"a session's line inside the family": {
			state: State{AS: 1}, zebos: "router bgp 1\n address-family ipv4\n neighbor 10.0.0.1 capability graceful-restart\n neighbor 10.0.0.1 next-hop-self\n",
			want: "router bgp 1\nneighbor 10.0.0.1 graceful-restart\naddress-family ipv4 unicast\nneighbor 10.0.0.1 next-hop-self\nexit-address-family\nexit\n",
		},
		"nothing for FRR": {zebos: "! c\n\nline con 0\n login\nno service password-encryption\n"},
	} {
		t.Run(name, func(t *testing.T) {
			script, _, errs := translate(t, c.state, c.zebos)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if diff := cmp.Diff(c.want, script.Text()); diff != "" {
				t.Errorf("script (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	inBGP := "router bgp 64512\n"
	for _, c := range []struct{ lines, line, want, screen string }{
		{"", "frobnicate", `line 1: "frobnicate": unknown ZebOS line`, "^\n% Invalid input detected at '^' marker.\n"},
		{inBGP, " neighbor 10.0.0.1 remote-as x", `line 2: "neighbor 10.0.0.1 remote-as x": unknown ZebOS line`, strings.Repeat(" ", 29) + "^\n% Invalid input detected at '^' marker.\n"},
		{inBGP, "neighbor 10.0.0.1 remote-as", `line 2: "neighbor 10.0.0.1 remote-as": incomplete ZebOS line`, "% Incomplete command.\n"},
		{inBGP, "neighbor 10.0.0.1 r 1 in", `line 2: "neighbor 10.0.0.1 r ***": unknown ZebOS line`, ""},
		// FRR's dialect is not ZebOS's.
		{inBGP, "maximum-paths ibgp 8", `line 2: "maximum-paths ibgp 8": unknown ZebOS line`, ""},
		{inBGP, "neighbor 10.0.0.1 bfd", `line 2: "neighbor 10.0.0.1 bfd": unknown ZebOS line`, ""},
		{inBGP, "no bgp ebgp-requires-policy", `line 2: "no bgp ebgp-requires-policy": unknown ZebOS line`, ""},
		{inBGP, "bgp listen range 10.0.0.0/8 peer-group g", `line 2: "bgp listen range 10.0.0.0/8 peer-group g": unknown ZebOS line`, ""},
		{"", "service password-encryption", `line 1: "service password-encryption": unknown ZebOS line`, ""},
		{"", "route-map zebos:x permit 10", `line 1: "route-map zebos:x permit 10": unknown ZebOS line`, ""},
		// The right line in the wrong place.
		{"", "neighbor 10.0.0.1 remote-as 1", `line 1: "neighbor 10.0.0.1 remote-as 1": unknown ZebOS line`, ""},
		{"", "match ip address prefix-list p", `line 1: "match ip address prefix-list p": unknown ZebOS line`, ""},
		{inBGP, "set metric 3", `line 2: "set metric 3": unknown ZebOS line`, ""},
		{inBGP + "address-family ipv4 unicast\n", "neighbor 10.0.0.1 timers 3 10", `line 3: "neighbor 10.0.0.1 timers 3 10": unknown ZebOS line`, ""},
		{inBGP + "route-map m permit 1\n", "neighbor 10.0.0.1 shutdown", `line 3: "neighbor 10.0.0.1 shutdown": unknown ZebOS line`, ""},
		// vtysh would drop it in silence.
		{inBGP, "neighbor g description a | b", `line 2: "neighbor g description a | b": unknown ZebOS line`, ""},
		// What contradicts the state.
		{inBGP, "router bgp 64513", `line 2: "router bgp 64513": BGP is already running; AS is 64512`, "% BGP is already running; AS is 64512\n"},
		{"", "router bgp 70000", `line 1: "router bgp 70000": AS 70000 needs "bgp extended-asn-cap" first`, ""},
		{inBGP, "neighbor 10.0.0.1 remote-as 70000", `line 2: "neighbor 10.0.0.1 remote-as 70000": AS 70000 needs "bgp extended-asn-cap" first`, ""},
		{inBGP, "no router bgp 1", `line 2: "no router bgp 1": Can't find BGP instance 1`, ""},
		// A secret stays one, however the line is wrong.
		{inBGP, "neighbor 10.0.0.1 password hunter2 hunter2", `line 2: "neighbor 10.0.0.1 password ***": unknown ZebOS line`, ""},
		{inBGP, "neighbor 10.0.0.1 pasword hunter2", `line 2: "neighbor 10.0.0.1 pasword ***": unknown ZebOS line`, ""},
		{inBGP, "neighbor 10.0.0.1 p hunter2 hunter2", `line 2: "neighbor 10.0.0.1 p ***": unknown ZebOS line`, ""},
		{"", "neighbor 10.0.0.1 password hunter2", `line 1: "neighbor 10.0.0.1 password ***": unknown ZebOS line`, ""},
	} {
		_, p, errs := translate(t, State{}, c.lines)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		_, err := p.Parse(strings.Count(c.lines, "\n")+1, c.line)
		var line *LineError
		if !errors.As(err, &line) || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.line, err, c.want)
			continue
		}
		if got := line.Screen(0); strings.Contains(got, "hunter2") || c.screen != "" && got != c.screen {
			t.Errorf("%q: screen %q, want %q", c.line, got, c.screen)
		}
	}
}

func TestRefusals(t *testing.T) {
	script, _, errs := translate(t, State{AS: 1}, "router bgp 1\n neighbor g password hunter2\n neighbor 10.0.0.1 peer-group g\n")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	got := script.Refusals("Graceful restart configuration changed\n% Specify remote-as first: hunter2\n% Configure the peer-group first\n",
		"line 2: Failure to communicate[13] to bgpd, line: neighbor g password hunter2\n\nline 3: Failure to communicate[13] to bgpd, line: x\n")
	want := []Refusal{
		{2, "neighbor g password ***", "Specify remote-as first: ***"},
		{3, "neighbor 10.0.0.1 peer-group g", "Configure the peer-group first"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
	if got := script.Refusals("% Unknown action 'hunter2'\n", ""); len(got) != 1 || got[0] != (Refusal{Reason: "Unknown action '***'"}) {
		t.Errorf("a complaint without a line: %+v", got)
	}
}

// What Debian's own frr.conf and the kernel put into FRR is no news.
func TestRunningDefaults(t *testing.T) {
	r := ParseRunning("frr version 8.4.4\nfrr defaults traditional\nhostname r1\nlog syslog informational\nno ip forwarding\nservice integrated-vtysh-config\n!\nend\n")
	want := "!\nno service password-encryption\n!\nlog syslog\n!\nline con 0\n login\nline vty 0 39\n login\n!\nend\n"
	if diff := cmp.Diff(want, r.String()); diff != "" || r.Unknown != nil {
		t.Errorf("unknown %q (-want +got):\n%s", r.Unknown, diff)
	}
}

func TestRunningUnknown(t *testing.T) {
	r := ParseRunning("router bgp 1\n neighbor 10.0.0.1 password hunter2 x\n neighbor 10.0.0.1 port 1179\nexit\nrouter ospf\nexit\n")
	want := []string{"neighbor 10.0.0.1 password ***", "neighbor 10.0.0.1 port ***", "router ospf"}
	if diff := cmp.Diff(want, r.Unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}

func TestParseExec(t *testing.T) {
	for line, want := range map[string]Command{
		"sh ip bgp sum":                      {Verb: ShowBGPSummary},
		"show ip bgp neighbor 10.0.0.1":      {Verb: ShowBGPNeighbors, Target: "10.0.0.1"},
		"show ip bgp nei 10.0.0.1 routes":    {Verb: ShowBGPNeighborRoutes, Target: "10.0.0.1"},
		"show bgp neighbors":                 {Verb: ShowBGPNeighbors},
		"show ip bgp 10.0.0.1":               {Verb: ShowBGP, Target: "10.0.0.1"},
		"show ip route bgp":                  {Verb: ShowRoutes, Target: "bgp"},
		"show ip route 10.0.0.0/8":           {Verb: ShowRoute, Target: "10.0.0.0/8"},
		"wr":                                 {Verb: Write},
		"wr mem":                             {Verb: Write},
		"conf t":                             {Verb: Configure},
		"en":                                 {Verb: Enable},
		"sh run":                             {Verb: ShowRunning},
		"show running-config router bgp":     {Verb: ShowRunningBGP},
		"show ip int b":                      {Verb: ShowInterfaces},
		"quit":                               {Verb: Exit},
		"show version":                       {Verb: ShowVersion},
		"copy running-config startup-config": {Verb: Write},
	} {
		got, err := ParseExec(0, line, true)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	for line, want := range map[string]Problem{"show ip": Incomplete, "c": Incomplete, "reload": Unknown, "": Incomplete} {
		_, err := ParseExec(1, line, true)
		var bad *LineError
		if !errors.As(err, &bad) || bad.Problem != want {
			t.Errorf("%q: %v, want %v", line, err, want)
		}
	}
	if _, err := ParseExec(1, "show running-config", false); err == nil {
		t.Error("show running-config without enable")
	}
}
