package imish

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func birdConfig(as int, routes ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "router id %s;\nprotocol device {}\nprotocol static {\n", birdAddr)
	for _, r := range routes {
		fmt.Fprintf(&b, "  route %s blackhole;\n", r)
	}
	fmt.Fprintf(&b, "}\nprotocol bgp f5 {\n  local %s as %d;\n  neighbor %s as 64512;\n  password \"s3cret-word\";\n", birdAddr, as, routerAddr)
	b.WriteString("  multihop 2;\n  graceful restart;\n  import all;\n  export where source = RTS_STATIC;\n}\n")
	return b.String()
}

const ibgp = `router bgp 64512
 bgp router-id 10.1.20.5
 bgp log-neighbor-changes
 bgp graceful-restart restart-time 120
 max-paths ibgp 8
 timers bgp 3 10
 neighbor calico peer-group
 neighbor calico remote-as 64512
 neighbor calico description the cluster
 neighbor calico maximum-prefix 2000
 neighbor calico password s3cret-word
 neighbor calico soft-reconfiguration inbound
 neighbor 10.1.20.20 peer-group calico
!
`

const ebgp = `bgp extended-asn-cap
!
router bgp 64512
 bgp router-id 10.1.20.5
 bgp graceful-restart
 max-paths ebgp 4
 network 203.0.113.0/24
 neighbor nodes peer-group
 neighbor nodes remote-as 4200000001
 neighbor nodes ebgp-multihop 2
 neighbor nodes maximum-prefix 100 80 warning-only
 neighbor nodes password s3cret-word
 neighbor nodes route-map FROM-NODES in
 neighbor nodes timers 3 9
 neighbor nodes update-source 10.1.20.5
 neighbor 10.1.20.20 peer-group nodes
!
ip prefix-list PODS seq 5 permit 192.168.0.0/16 ge 26 le 32
!
route-map FROM-NODES permit 10
 match ip address prefix-list PODS
 set local-preference 150
!
route-map FROM-NODES deny 20
!
`

func TestPeeringInternal(t *testing.T) {
	l := newLab(t, birdConfig(64512, "192.168.127.0/26", "192.168.128.0/26"))
	l.configure("enable\nconfigure terminal\n" + ibgp + "line con 0\n login\nend\n")

	if diff := cmp.Diff("!\nno service password-encryption\n!\n"+ibgp+"line con 0\n login\nline vty 0 39\n login\n!\nend\n", l.show("show running-config")); diff != "" {
		t.Errorf("show running-config (-want +got):\n%s", diff)
	}
	l.awaitShown("show ip bgp neighbors 10.1.20.20", "BGP state = Established, up for ", "hold time is 10, keepalive interval is 3 seconds",
		"remote AS 64512, local AS 64512, internal link", " Member of peer-group calico for session parameters",
		"  Inbound soft reconfiguration allowed", "  Maximum prefixes 2000", "  2 accepted prefixes")
	out := l.awaitShown("show ip route bgp", "192.168.128.0/26")
	if !regexp.MustCompile(`(?m)^B       192\.168\.127\.0/26 \[200/0\] via 10\.1\.20\.20, eth0, \d\d:\d\d:\d\d$`).MatchString(out) {
		t.Errorf("show ip route bgp:\n%s", out)
	}
	if out := l.show("sh ip bgp sum"); !regexp.MustCompile(`(?m)^10\.1\.20\.20 +4 64512 .* 2$`).MatchString(out) {
		t.Errorf("show ip bgp summary:\n%s", out)
	}
	if out := l.show("show ip bgp neighbors 10.1.20.20 routes"); !strings.Contains(out, "*>i192.168.127.0/26 10.1.20.20 ") {
		t.Errorf("show ip bgp neighbors A routes:\n%s", out)
	}
	if out := l.show("show ip route 192.168.127.0/26"); !strings.Contains(out, "Known via \"bgp\", distance 200, metric 0, best") {
		t.Errorf("show ip route PREFIX:\n%s", out)
	}
	if out := l.show("show ip interface brief"); !regexp.MustCompile(`(?m)^eth0 +10\.1\.20\.5 +up +up$`).MatchString(out) {
		t.Errorf("show ip interface brief:\n%s", out)
	}
	l.refusesUnknown()
	l.saves()
	l.refusedByFRR()
	l.undoes()
}

// refusesUnknown: one unknown line, and none of its batch is applied.
func (l *lab) refusesUnknown() {
	l.t.Helper()
	before := l.show("show running-config")
	status, out, errs := l.imish("-f", l.file("router bgp 64512\n neighbor 10.1.20.99 remote-as 64512\n maximum-paths 4\n"))
	if want := "imish: line 3: \"maximum-paths 4\": unknown ZebOS line\n"; status != 1 || errs != want || !strings.Contains(out, "% Invalid input detected at '^' marker.") {
		l.t.Errorf("unknown line: status %d\n%s%s", status, out, errs)
	}
	if diff := cmp.Diff(before, l.show("show running-config")); diff != "" {
		l.t.Errorf("an unknown line let others through:\n%s", diff)
	}
}

func (l *lab) refusedByFRR() {
	l.t.Helper()
	status, out, errs := l.imish("-f", l.file("router bgp 64512\n neighbor 10.1.20.98 password hunter2\n neighbor 10.1.20.98 peer-group nowhere\n"))
	for _, want := range []string{`line 2: "neighbor 10.1.20.98 password ***": refused: `, `line 3: "neighbor 10.1.20.98 peer-group nowhere": refused: Configure the peer-group first`} {
		if !strings.Contains(errs, want) {
			l.t.Errorf("no %q in %s", want, errs)
		}
	}
	if status != 1 || strings.Contains(out+errs, "hunter2") {
		l.t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

func (l *lab) saves() {
	l.t.Helper()
	if out := l.show("wr mem"); out != "Building configuration...\n[OK]\n" {
		l.t.Errorf("write: %s", out)
	}
	saved, err := os.ReadFile(filepath.Join(l.dir, "frr.conf"))
	if err != nil || !strings.Contains(string(saved), "neighbor calico maximum-prefix 2000") {
		l.t.Errorf("saved: %v\n%s", err, saved)
	}
}

func (l *lab) undoes() {
	l.t.Helper()
	l.configure("router bgp 64512\n no neighbor 10.1.20.20 peer-group calico\n no max-paths ibgp\n no timers bgp\n no neighbor calico password\n no bgp graceful-restart\n")
	want := "!\nrouter bgp 64512\n bgp router-id 10.1.20.5\n bgp log-neighbor-changes\n neighbor calico peer-group\n neighbor calico remote-as 64512\n" +
		" neighbor calico description the cluster\n neighbor calico maximum-prefix 2000\n neighbor calico soft-reconfiguration inbound\n!\n"
	if diff := cmp.Diff(want, l.show("show running-config router bgp")); diff != "" {
		l.t.Errorf("after no (-want +got):\n%s", diff)
	}
	l.configure("no router bgp 64512\n")
	if out := l.show("show running-config router bgp"); out != "!\n" {
		l.t.Errorf("after no router bgp:\n%s", out)
	}
	for command, want := range map[string]string{
		"show ip bgp summary":             "% BGP is not running\n",
		"show ip bgp":                     "% BGP is not running\n",
		"show ip bgp 10.0.0.0/8":          "% Network not in table\n",
		"show ip bgp neighbors":           "",
		"show ip bgp neighbors 10.1.20.9": "",
		"show ip route bgp":               "\nGateway of last resort is not set\n",
		"show ip route 10.99.0.0/16":      "% Network not in table\n",
	} {
		if out := l.show(command); out != want {
			l.t.Errorf("%s without BGP: %q, want %q", command, out, want)
		}
	}
}

func TestPeeringExternal(t *testing.T) {
	l := newLab(t, birdConfig(4200000001, "192.168.127.0/26", "172.16.0.0/24"))
	l.configure(ebgp)
	want := "!\nno service password-encryption\n!\n" + ebgp + "line con 0\n login\nline vty 0 39\n login\n!\nend\n"
	if diff := cmp.Diff(want, l.show("show running-config")); diff != "" {
		t.Errorf("show running-config (-want +got):\n%s", diff)
	}
	l.awaitShown("show ip bgp neighbors", "BGP state = Established", "remote AS 4200000001, local AS 64512, external link", "hold time is 9, keepalive interval is 3 seconds")
	out := l.awaitShown("show ip route bgp", "B       192.168.127.0/26 [20/0] via 10.1.20.20, eth0, ")
	if strings.Contains(out, "172.16.0.0") {
		t.Errorf("the route-map let 172.16.0.0/24 through:\n%s", out)
	}
	if out := l.show("show ip bgp 192.168.127.0/26"); !strings.Contains(out, "localpref 150, valid, external, best") {
		t.Errorf("show ip bgp PREFIX:\n%s", out)
	}
	if out := l.show("show ip bgp | include /26"); !strings.HasPrefix(out, "*> 192.168.127.0/26 10.1.20.20 ") || strings.Count(out, "\n") != 1 {
		t.Errorf("show ip bgp:\n%s", out)
	}
}
