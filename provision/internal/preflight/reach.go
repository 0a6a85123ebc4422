package preflight

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Whether hosts reach each other.

// Outcome is how an attempt at a link ended.
type Outcome string

// The outcomes of an attempt. Any other is what the host's own system said.
const (
	Connected Outcome = "connected"
	Refused   Outcome = "connection refused"
	Silent    Outcome = "no answer"
	NoRoute   Outcome = "no route to host"
)

// Attempt is a link that was tried.
type Attempt struct {
	Link
	Outcome Outcome
}

// Reach is what became of the links.
type Reach struct {
	Attempts []Attempt
	// Mute are hosts that could not be asked to connect, Deaf those where nothing
	// could be made to listen; and why.
	Mute, Deaf map[string]string
}

// portUnreachable tells of links that do not come about: of those to a port on a
// host once, whoever they are from. Waivers go by that host, or by the one that does
// not reach a BIG-IP.
func portUnreachable(r round) []Finding {
	type end struct {
		host, bigIP string
		at          netip.AddrPort
		outcome     Outcome
	}
	from := map[end][]Attempt{}
	var ends []end
	for _, a := range r.Reach.Attempts {
		if a.Outcome == Connected || a.Ear == Peer && a.Outcome == Refused {
			continue
		}
		e := end{host: a.To, at: a.At, outcome: a.Outcome}
		if a.Ear == Peer {
			e.host, e.bigIP = a.From, a.To
		}
		if from[e] == nil {
			ends = append(ends, e)
		}
		from[e] = append(from[e], a)
	}
	var all []Finding
	for _, e := range ends {
		if e.bigIP != "" {
			all = append(all, farPort(from[e][0]))
		} else {
			all = append(all, hostPort(from[e]))
		}
	}
	all = append(all, blind(r.Reach.Mute, "sshd's AllowTcpForwarding", "which ports it reaches on others could not be looked at")...)
	return append(all, blind(r.Reach.Deaf, "a port to listen on", "whether others reach its ports could not be looked at")...)
}

// hostPort is a port of a host's that these do not reach.
func hostPort(from []Attempt) Finding {
	a := from[0]
	var names []string
	for _, f := range from {
		names = append(names, f.From)
	}
	f := Finding{
		Host: a.To, Severity: severity(a), Measured: fmt.Sprintf("%s: from %s", a.Outcome, listed(names)), Wanted: "a connection to " + a.At.String(),
		Text: fmt.Sprintf("there is no connection to its port %d (%s) from %s: %s", a.At.Port(), a.For, listed(names), a.Outcome),
		Fix:  "let TCP to " + a.At.String() + " through from there: " + cause(a),
	}
	if a.Outcome == Refused && a.Ear == Unknown {
		f.Severity = Warn
		f.Text += ", so nobody listens there, or a firewall rejects it"
	}
	return f
}

// farPort is a BIG-IP that a host does not reach.
func farPort(a Attempt) Finding {
	return Finding{
		Host: a.From, Severity: severity(a), Measured: string(a.Outcome), Wanted: "an answer from " + a.At.String(),
		Text: fmt.Sprintf("it does not reach %s for BGP, at %s: %s", a.To, a.At, a.Outcome),
		Fix:  fmt.Sprintf("check peer_address, and that the port lockdown of that self IP allows TCP %d; then %s", a.At.Port(), cause(a)),
	}
}

func severity(a Attempt) Severity {
	if a.Must {
		return Fail
	}
	return Warn
}

// cause is where to look for why a link does not come about.
func cause(a Attempt) string {
	switch a.Outcome {
	case Silent:
		return "a firewall of either (`nft list ruleset`), or one between them, drops it"
	case Refused:
		return "a firewall of either (`nft list ruleset`), or one between them, rejects it"
	}
	return fmt.Sprintf("look at `ip route get %s` on %s, and for a firewall that rejects it", a.At.Addr(), a.From)
}

// mostListed is how many hosts are named at most.
const mostListed = 5

func listed(names []string) string {
	if n := len(names) - mostListed; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostListed], ", "), n)
	}
	return strings.Join(names, ", ")
}

// blind tells of hosts where it could not be looked.
func blind(why map[string]string, wanted, text string) []Finding {
	var all []Finding
	for _, name := range slices.Sorted(maps.Keys(why)) {
		all = append(all, Finding{
			Host: name, Severity: Warn, Measured: why[name], Wanted: wanted,
			Text: text + ": " + why[name],
			Fix:  "make that possible, or make sure by hand that the firewalls let the cluster's ports through",
		})
	}
	return all
}
