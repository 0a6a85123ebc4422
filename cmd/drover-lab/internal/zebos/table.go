package zebos

import (
	"strings"
	"sync"
)

// Context is where in a configuration a line stands.
type Context int

// The contexts of ZebOS's configuration mode.
const (
	Global Context = iota
	RouterBGP
	AddressFamily // ipv4 unicast inside router bgp
	RouteMap
	Line
)

// Prompt is what imish shows in its prompt for the context.
func (c Context) Prompt() string {
	return [...]string{"(config)", "(config-router)", "(config-router-af)", "(config-route-map)", "(config-line)"}[c]
}

// use narrows what an entry is good for.
type use int

const (
	both      use = iota
	inputOnly     // an accepted spelling; shown back as another entry
	noOnly        // exists only after "no"
)

// entry is one row of the table. Patterns are in the language of pattern.go.
type entry struct {
	in    Context // where ZebOS wants the line
	zebos string
	frr   string // FRR's form; "" means the same, "-" that FRR needs no line; lines are separated by "\n"
	back  string // FRR's line this one is read back from; "" means frr
	no    string // FRR's form of "no …"; "" means "no " and frr up to its ~
	opens Context
	use   use
	af    bool // FRR keeps it inside address-family ipv4 unicast
	inAF  bool // ZebOS takes it there as well
}

// The order within a context is the order of "show running-config".
//
// Where ZebOS's and FRR's defaults differ (timers, restart-time, max-paths),
// "router bgp" sets ZebOS's for a new process, "no" goes back to them, and the
// way back hides them; see expand in running.go for the opposite direction.
var entries = []entry{
	// The host name is TMOS's business: taken, never shown.
	{in: Global, zebos: "hostname <name:word>", use: inputOnly, no: "-"},
	// Secrets are shown as they are, as on a BIG-IP with this line, which is always shown.
	{in: Global, zebos: "service password-encryption", frr: "-", no: "-", use: noOnly},
	{in: Global, zebos: "log syslog", back: "log syslog [ <level:word> ]"},
	{in: Global, zebos: "log record-priority"},
	// FRR always offers four-byte AS numbers and has no line to remember this
	// one by. It is kept as an empty route-map, so that it lives, is saved and
	// is lost exactly as the rest of FRR's configuration; a side file could disagree.
	{in: Global, zebos: extendedASN,
		frr: "route-map " + marker + "extended-asn-cap permit 65535\nexit", back: "route-map " + marker + "extended-asn-cap permit 65535",
		no: "no route-map " + marker + "extended-asn-cap"},
	{in: Global, zebos: "router bgp <as:as>", opens: RouterBGP},
	{in: Global, zebos: "ip route <prefix:prefix> <gateway:ip> [ <distance:1..255?1> ]"},
	{in: Global, zebos: "access-list <name:name> <action:=deny|permit> <what:prefix-any> [ <exact:=exact-match> ]",
		back: "access-list <name:name> seq <seq:1..4294967295> <action:=deny|permit> <what:prefix-any> [ <exact:=exact-match> ]"},
	{in: Global, zebos: "access-list <name:name>", use: noOnly},
	{in: Global, zebos: "ip prefix-list <name:name> description ~ <text:text>"},
	{in: Global, zebos: "ip prefix-list <name:name> [ seq <seq:1..4294967295> ] <action:=deny|permit> <what:prefix-any> [ ge <ge:1..32> ] [ le <le:1..32> ]"},
	{in: Global, zebos: "ip prefix-list <name:name> seq <seq:1..4294967295>", use: noOnly},
	{in: Global, zebos: "ip prefix-list <name:name>", use: noOnly},
	{in: Global, zebos: "route-map <name:name> <action:=deny|permit> <seq:1..65535>", opens: RouteMap},
	{in: Global, zebos: "route-map <name:name>", use: noOnly},
	{in: Global, zebos: "line <kind:=con|vty> <first:0..871> [ <last:0..871> ]", frr: "-", no: "-", opens: Line, use: inputOnly},
	{in: Line, zebos: "login", frr: "-", no: "-", use: inputOnly},
	{in: Line, zebos: "exec-timeout <min:0..35791> [ <sec:0..2147483> ]", frr: "-", no: "-", use: inputOnly},

	{in: RouterBGP, zebos: "bgp router-id ~ <id:ip>"},
	{in: RouterBGP, zebos: "bgp cluster-id ~ <id:ip>"},
	{in: RouterBGP, zebos: "bgp always-compare-med"},
	{in: RouterBGP, zebos: "bgp log-neighbor-changes"},
	{in: RouterBGP, zebos: "bgp default ipv4-unicast"},
	{in: RouterBGP, zebos: "bgp graceful-restart", frr: "bgp graceful-restart\nbgp graceful-restart restart-time 90",
		back: "bgp graceful-restart restart-time 90", no: "no bgp graceful-restart\nno bgp graceful-restart restart-time"},
	{in: RouterBGP, zebos: "bgp graceful-restart restart-time ~ <seconds:1..3600>",
		frr: "bgp graceful-restart\nbgp graceful-restart restart-time <seconds:1..3600>", back: "bgp graceful-restart restart-time <seconds:1..3600>",
		no: "bgp graceful-restart restart-time 90"},
	{in: RouterBGP, zebos: "bgp graceful-restart stalepath-time ~ <seconds:1..3600>"},
	{in: RouterBGP, zebos: "max-paths ebgp <n:2..64>", frr: "maximum-paths <n:2..64>", no: "maximum-paths 1", af: true},
	{in: RouterBGP, zebos: "max-paths ibgp <n:2..64>", frr: "maximum-paths ibgp <n:2..64>", no: "maximum-paths ibgp 1", af: true},
	{in: RouterBGP, zebos: "max-paths <n:2..64>", frr: "maximum-paths <n:2..64>", no: "maximum-paths 1", af: true, use: inputOnly},
	{in: RouterBGP, zebos: "max-paths ebgp", no: "maximum-paths 1", af: true, use: noOnly},
	{in: RouterBGP, zebos: "max-paths ibgp", no: "maximum-paths ibgp 1", af: true, use: noOnly},
	{in: RouterBGP, zebos: "network <prefix:prefix> [ route-map <map:name> ]", af: true, inAF: true},
	{in: RouterBGP, zebos: "aggregate-address <prefix:prefix> [ <summary:=summary-only> ]", af: true, inAF: true},
	{in: RouterBGP, zebos: "redistribute <source:=connected|kernel|static> [ route-map <map:name> ]", af: true, inAF: true},
	{in: RouterBGP, zebos: "timers bgp ~ <keepalive:0..65535> <hold:0..65535>", no: "timers bgp 30 90"},
	{in: RouterBGP, zebos: "address-family ipv4 [ unicast ]", frr: "-", opens: AddressFamily, use: inputOnly, no: "-"},

	{in: RouterBGP, zebos: "neighbor <peer:name> peer-group"},
	{in: RouterBGP, zebos: "neighbor <peer:ip> peer-group <group:name>", inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:ip>", use: noOnly},
	{in: RouterBGP, zebos: "neighbor <peer:peer> remote-as <as:as>"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> activate", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> advertisement-interval ~ <seconds:0..600>"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> allowas-in ~ [ <n:1..10?3> ]", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> as-override", af: true, inAF: true},
	// FRR 8.4 loses this on a peer-group older than the global setting, so a group is refused.
	{in: RouterBGP, zebos: "neighbor <peer:ip> capability graceful-restart", frr: "neighbor <peer:ip> graceful-restart", inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> default-originate ~ [ route-map <map:name> ]", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> description ~ <text:text>"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> ebgp-multihop ~", frr: "neighbor <peer:peer> ebgp-multihop ~ 255", use: inputOnly},
	{in: RouterBGP, zebos: "neighbor <peer:peer> ebgp-multihop <ttl:1..255>", frr: "neighbor <peer:peer> ebgp-multihop ~ <ttl:1..255>"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> fall-over bfd", frr: "neighbor <peer:peer> bfd"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> maximum-prefix ~ <max:1..4294967295> [ <threshold:1..100?75> ] [ <mode:=warning-only> ]", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> maximum-prefix <max:1..4294967295> [ <threshold:1..100?75> ] restart <minutes:1..65535>",
		frr: "neighbor <peer:peer> maximum-prefix ~ <max:1..4294967295> [ <threshold:1..100?75> ] restart <minutes:1..65535>", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> next-hop-self", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> passive"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> password ~ <secret:secret>"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> distribute-list <list:name> <way:=in|out>", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> prefix-list <list:name> <way:=in|out>", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> remove-private-AS", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> route-map <map:name> <way:=in|out>", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> route-reflector-client", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> shutdown"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> soft-reconfiguration inbound", af: true, inAF: true},
	{in: RouterBGP, zebos: "neighbor <peer:peer> timers ~ <keepalive:0..65535> <hold:0..65535>"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> timers connect ~ <seconds:1..65535>"},
	{in: RouterBGP, zebos: "neighbor <peer:peer> update-source ~ <source:word>"},

	{in: RouteMap, zebos: "description ~ <text:text>"},
	{in: RouteMap, zebos: "match ip address prefix-list ~ <list:name>"},
	{in: RouteMap, zebos: "match ip address ~ <list:name>"},
	{in: RouteMap, zebos: "set as-path prepend ~ <path:as-path>"},
	{in: RouteMap, zebos: "set community ~ <communities:communities> [ <additive:=additive> ]"},
	{in: RouteMap, zebos: "set ip next-hop ~ <hop:ip>"},
	{in: RouteMap, zebos: "set local-preference ~ <n:0..4294967295>"},
	{in: RouteMap, zebos: "set metric ~ <n:0..4294967295>"},
	{in: RouteMap, zebos: "set origin ~ <origin:=egp|igp|incomplete>"},
	{in: RouteMap, zebos: "set weight ~ <n:0..4294967295>"},
}

const extendedASN = "bgp extended-asn-cap"

// family is the block FRR keeps af entries in.
const family = "address-family ipv4 unicast"

// companions bring a new BGP process to ZebOS's defaults: no policy is asked
// of eBGP, networks are announced without a route to them, 30/90 s timers and
// a single path. On the way back they are hidden.
var companions = struct{ session, family []string }{
	session: []string{"no bgp ebgp-requires-policy", "no bgp network import-check", "timers bgp 30 90"},
	family:  []string{"maximum-paths 1", "maximum-paths ibgp 1"},
}

// rule is an entry with its patterns read.
type rule struct {
	entry
	rank      int
	zebosForm pattern
	frrForm   pattern // of the last line
	backForm  pattern
}

var rules = sync.OnceValue(func() []*rule {
	out := make([]*rule, len(entries))
	for i, e := range entries {
		if e.frr == "" {
			e.frr = e.zebos
		}
		r := &rule{entry: e, rank: i, zebosForm: parsePattern(e.zebos)}
		if e.frr != "-" {
			lines := strings.Split(e.frr, "\n")
			r.frrForm = parsePattern(lines[len(lines)-1])
			back := e.back
			if back == "" {
				back = e.frr
			}
			r.backForm = parsePattern(back)
		}
		out[i] = r
	}
	return out
})

// commands are FRR's lines for the statement, without the block they stand in.
func (r *rule) commands(a args, negated bool) []string {
	if !negated {
		if r.frr == "-" {
			return nil
		}
		lines := strings.Split(r.frr, "\n")
		for i, l := range lines {
			lines[i] = parsePattern(l).render(a, false)
		}
		return lines
	}
	switch r.no {
	case "":
		return []string{"no " + r.frrForm.render(a, true)}
	case "-":
		return nil
	}
	return strings.Split(r.no, "\n")
}
