package view

import (
	"fmt"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision"
)

// BGP shows every session with a BIG-IP from both ends, and those among the
// hosts in numbers.
func (v View) BGP(s provision.BGPStatus, f Format) error {
	if f == JSON {
		return v.json(s)
	}
	var b strings.Builder
	for _, f5 := range s.BigIPs {
		fmt.Fprintf(&b, "%s  %s  AS %d: %s\n", f5.Name, f5.Address, f5.AS, bigIPSummary(f5))
		rows := []string{"  HOST\tTHE HOST SEES\tTHE BIG-IP SEES"}
		for _, session := range f5.Sessions {
			rows = append(rows, fmt.Sprintf("  %s\t%s\t%s", session.Host, hostEnd(session), bigIPEnd(f5, session)))
		}
		table(&b, rows)
		for _, finding := range f5.Findings {
			fmt.Fprintf(&b, "  ! %s\n", strings.TrimPrefix(finding.Host+": "+finding.Text, ": "))
		}
		b.WriteString("\n")
	}
	meshLines(&b, s.Mesh)
	if len(s.Others) > 0 {
		rows := []string{"\nsessions with others, not judged:"}
		for _, o := range s.Others {
			rows = append(rows, fmt.Sprintf("  %s\t%s\t%s", o.Host, o.Peer, oneEnd(&o.BGPEnd)))
		}
		table(&b, rows)
	}
	return v.Line(strings.TrimRight(b.String(), "\n"))
}

func meshLines(b *strings.Builder, mesh []provision.MeshStatus) {
	up, want := 0, 0
	var bad []string
	for _, m := range mesh {
		up, want = up+m.Up, want+m.Want
		switch {
		case m.Why != "":
			bad = append(bad, fmt.Sprintf("  ! %s: not known: %s", m.Host, brief(m.Why)))
		case len(m.Down) > 0:
			bad = append(bad, fmt.Sprintf("  ! %s: %s", m.Host, listed(m.Down)))
		}
	}
	fmt.Fprintf(b, "among the hosts: %d of %d ends established\n", up, want)
	for _, line := range bad {
		fmt.Fprintln(b, line)
	}
}

// bigIPSummary is a BIG-IP in one line.
func bigIPSummary(f5 provision.BigIPStatus) string {
	up := 0
	for _, s := range f5.Sessions {
		if s.Up() {
			up++
		}
	}
	text := fmt.Sprintf("%d of %d sessions established", up, len(f5.Sessions))
	switch {
	case f5.Verified && len(f5.Findings) == 0:
		return text + " at both ends, routes as wanted"
	case f5.Verified:
		return text + " at both ends, " + count(len(f5.Findings), "finding")
	case f5.Manage == inventory.ManageManual:
		return text + " at the hosts' end; its own is unverified: it is managed by hand"
	}
	return text + " at the hosts' end; its own is unverified: " + brief(f5.Why)
}

func hostEnd(s provision.BGPSession) string {
	if s.AtHost == nil {
		return "not known: " + brief(s.Why)
	}
	return oneEnd(s.AtHost)
}

func bigIPEnd(f5 provision.BigIPStatus, s provision.BGPSession) string {
	if !f5.Verified || s.AtBigIP == nil {
		return "unverified"
	}
	return oneEnd(s.AtBigIP)
}

// oneEnd is a session as one end tells it. Whether the time is since when or for
// how long depends on the end, so it is shown as it was printed.
func oneEnd(e *provision.BGPEnd) string {
	if e.Up() {
		prefixes := "prefixes"
		if e.Prefixes == 1 {
			prefixes = "prefix"
		}
		return fmt.Sprintf("%s %s, %d %s", e.State, e.Since, e.Prefixes, prefixes)
	}
	return strings.TrimSuffix(strings.ToUpper(e.State)+", "+e.Reason, ", ")
}
