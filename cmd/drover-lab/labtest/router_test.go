package labtest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// peering is how one of the lab's routers peers with a lab machine, and what
// its show commands say once it does.
type peering struct {
	router, host, route string
	zebos               string // with the machine's address for %[1]s and the router's for %[2]s
	routerAS, hostAS    int
	link                string
}

// Both ways a BIG-IP peers with a cluster: inside of its AS, and from outside.
var peerings = []peering{
	{
		router: "f5-a", host: "kube-node-1", route: "10.123.0.0/24", routerAS: 64512, hostAS: 64512, link: "internal link",
		zebos: `router bgp 64512
 bgp router-id %[2]s
 bgp graceful-restart restart-time 120
 max-paths ibgp 8
 timers bgp 3 10
 neighbor calico peer-group
 neighbor calico remote-as 64512
 neighbor calico maximum-prefix 2000
 neighbor calico password s3cret-word
 neighbor %[1]s peer-group calico
!
`,
	}, {
		router: "f5-b", host: "kube-node-2", route: "10.124.0.0/24", routerAS: 64513, hostAS: 64512, link: "external link",
		zebos: `router bgp 64513
 bgp router-id %[2]s
 max-paths ebgp 4
 neighbor nodes peer-group
 neighbor nodes remote-as 64512
 neighbor nodes maximum-prefix 100 80 warning-only
 neighbor nodes password s3cret-word
 neighbor nodes timers 3 9
 neighbor %[1]s peer-group nodes
!
`,
	},
}

// A router takes a BIG-IP's configuration over SSH and peers; the client behind
// it reaches what the peer announces by that route alone.
func TestRouterPeersAsABigIP(t *testing.T) {
	l := shared(t)
	s := l.status(t)
	for _, p := range peerings {
		t.Run(p.router, func(t *testing.T) {
			host, router := s.machine(t, p.host).Address, s.machine(t, p.router).Address
			target := strings.Replace(p.route, ".0/24", ".1", 1)
			l.runBird(t, p, host, router, target)
			l.clientFails(t, p.router, target)

			zebos := fmt.Sprintf(p.zebos, host, router)
			l.imish(t, p.router, zebos)
			t.Cleanup(func() {
				l.Run(t, "ssh", p.router, fmt.Sprintf("printf 'no router bgp %d\\n' | imish -f /dev/stdin", p.routerAS))
			})
			if got := l.SSH(t, p.router, "imish -e 'show running-config'"); !strings.Contains(got, zebos[:len(zebos)-2]) {
				t.Errorf("%s was given\n%s\nand shows\n%s", p.router, zebos, got)
			}
			labkit.Await(t, time.Minute, p.router+" has the session and the route", func() error {
				neighbors, err := l.Try(t.Context(), p.router, "imish -e 'show ip bgp neighbors "+host+"'")
				if err == nil && (!strings.Contains(neighbors, "BGP state = Established") || !strings.Contains(neighbors, p.link)) {
					err = fmt.Errorf("no session: %s", neighbors)
				}
				routes, rerr := l.Try(t.Context(), p.router, "imish -e 'show ip route bgp'")
				if rerr == nil && !regexp.MustCompile(`(?m)^B +`+regexp.QuoteMeta(p.route)+` \[\d+/0\] via `+regexp.QuoteMeta(host)).MatchString(routes) {
					rerr = fmt.Errorf("no route: %s", routes)
				}
				return errors.Join(err, rerr)
			})
			if got := l.Must(t, "router", p.router, "show", "ip", "bgp", "summary"); !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(host) + ` .* 1$`).MatchString(got) {
				t.Errorf("one prefix, says the summary? %s", got)
			}
			if got := l.SSH(t, p.host, "sudo birdc show protocols all f5 | grep -A1 BGP.state"); !strings.Contains(got, "Established") {
				t.Errorf("the other end says %s", got)
			}
			labkit.Await(t, 10*time.Second, "the client is answered", func() error {
				got, err := l.Try(t.Context(), p.router+"-client", "curl -sS --max-time 2 http://"+target+":8080/")
				if err == nil && got != "answer of "+p.host {
					err = fmt.Errorf("%q", got)
				}
				return err
			})

			l.refusesUnknown(t, p)

			l.SSH(t, p.host, "sudo systemctl stop bird")
			labkit.Await(t, 30*time.Second, "the route is gone", func() error {
				routes, err := l.Try(t.Context(), p.router, "imish -e 'show ip route bgp'")
				if err == nil && strings.Contains(routes, p.route) {
					err = errors.New(routes)
				}
				return err
			})
			l.clientFails(t, p.router, target)
		})
	}
}

// A connection goes by the host that its first packet went by, also when the routes are
// others by then; the next one goes by them.
func TestRouterKeepsConnections(t *testing.T) {
	const router, client, target = "f5-a", "f5-a-client", "10.125.0.1"
	l := shared(t)
	s := l.status(t)
	hosts := []string{"kube-node-1", "kube-node-2"}
	for _, h := range hosts {
		l.SSH(t, h, fmt.Sprintf(`sudo sh -ec '
			ip addr replace %s/32 dev lo
			systemd-run --quiet --unit=echo socat TCP-LISTEN:8081,fork,reuseaddr SYSTEM:"while read -r _; do hostname; done"'`, target))
		t.Cleanup(func() { l.Run(t, "ssh", h, "sudo systemctl stop echo; sudo ip addr del "+target+"/32 dev lo") })
	}
	by := func(host string) {
		t.Helper()
		l.SSH(t, router, fmt.Sprintf("ip route replace %s/32 via %s", target, s.machine(t, host).Address))
	}
	t.Cleanup(func() { l.Run(t, "ssh", router, "ip route del "+target+"/32") })
	open := func() (ask func() string) {
		t.Helper()
		var conn net.Conn
		err := within(l.Namespace(client), func() (err error) {
			conn, err = net.DialTimeout("tcp", target+":8081", 5*time.Second)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		lines := bufio.NewReader(conn)
		return func() string {
			t.Helper()
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := fmt.Fprintln(conn); err != nil {
				t.Error(err)
			}
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Error(err)
			}
			return strings.TrimSpace(line)
		}
	}
	by(hosts[0])
	first := open()
	if got := first(); got != hosts[0] {
		t.Errorf("%q answers, and the route is by %s", got, hosts[0])
	}
	by(hosts[1])
	if got := first(); got != hosts[0] {
		t.Errorf("%q answers, and the connection is with %s", got, hosts[0])
	}
	if got := open()(); got != hosts[1] {
		t.Errorf("%q answers, and the route is by %s", got, hosts[1])
	}
}

// imish types lines into a router's imish, over SSH, as drover will.
func (l lab) imish(t *testing.T, router, lines string) labkit.Result {
	t.Helper()
	return l.RunIn(t, "enable\nconfigure terminal\n"+lines+"end\n", "ssh", router, "imish")
}

// refusesUnknown: one unknown line, and nothing of its batch takes effect.
func (l lab) refusesUnknown(t *testing.T, p peering) {
	t.Helper()
	before := l.SSH(t, p.router, "imish -e 'show running-config'")
	r := l.imish(t, p.router, fmt.Sprintf("router bgp %d\n neighbor 10.91.0.99 remote-as 64999\n neighbour 10.91.0.98 remote-as 64999\n", p.routerAS))
	if r.Code != 1 || !strings.Contains(r.Stderr, `line 5: "neighbour 10.91.0.98 remote-as 64999": unknown ZebOS line`) {
		t.Errorf("want the unknown line refused by name: %s", r)
	}
	if after := l.SSH(t, p.router, "imish -e 'show running-config'"); after != before {
		t.Errorf("of a refused batch something took effect: before\n%s\nafter\n%s", before, after)
	}
}

// runBird makes a machine announce a route, by the BIRD of the lab's repository,
// and answer on an address in it. The address is on no link: only who has the
// route finds it.
func (l lab) runBird(t *testing.T, p peering, host, router, target string) {
	t.Helper()
	// Installed masked, it does not start before it is configured.
	l.SSH(t, p.host, `sudo sh -ec '
		systemctl mask --quiet bird6
		apt-get update -q
		DEBIAN_FRONTEND=noninteractive apt-get install -qy bird' 2>&1`)
	config := fmt.Sprintf(`router id %[1]s;
protocol device {}
protocol static { route %[3]s blackhole; }
protocol bgp f5 {
	local %[1]s as %[4]d;
	neighbor %[2]s as %[5]d;
	password "s3cret-word";
	connect retry time 2;
	import none;
	export where source = RTS_STATIC;
}
`, host, router, p.route, p.hostAS, p.routerAS)
	if r := l.RunIn(t, config, "ssh", p.host, "sudo tee /etc/bird/bird.conf >/dev/null"); r.Code != 0 {
		t.Fatal(r)
	}
	answer := "answer of " + p.host
	l.SSH(t, p.host, fmt.Sprintf(`sudo sh -ec '
		systemctl restart bird
		ip addr replace %s/32 dev lo
		printf "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" > /run/answer
		systemd-run --quiet --unit=answer socat TCP-LISTEN:8080,fork,reuseaddr "SYSTEM:cat /run/answer; cat > /dev/null"'`,
		target, len(answer), answer))
	t.Cleanup(func() {
		l.Run(t, "ssh", p.host, "sudo systemctl stop bird answer; sudo ip addr del "+target+"/32 dev lo")
	})
}

// clientFails demands that the router's client is told that there is no way.
func (l lab) clientFails(t *testing.T, router, target string) {
	t.Helper()
	r := l.Run(t, "ssh", router+"-client", "ping -c1 -W2 "+target)
	if r.Code == 0 || !strings.Contains(r.Stdout, "Destination Net Unreachable") {
		t.Errorf("without a route, want the router to say so: %s", r)
	}
	if out, err := exec.Command("ip", "-n", l.Namespace(router), "route", "get", target).CombinedOutput(); err == nil {
		t.Errorf("%s has a route to %s: %s", router, target, out)
	}
}
