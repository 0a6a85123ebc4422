package provision

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/bgp"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/desired"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// BGPStatus is every session of the cluster, from both ends where both can be
// read.
type BGPStatus struct {
	SchemaVersion int            `json:"schema_version"`
	Cluster       string         `json:"cluster"`
	BigIPs        []BigIPStatus  `json:"bigips"`
	Mesh          []MeshStatus   `json:"mesh"`   // the hosts among each other
	Others        []OtherSession `json:"others"` // with peers the inventory does not name; not judged
}

// BigIPStatus is one BIG-IP with its sessions.
type BigIPStatus struct {
	Name     string           `json:"name"`
	Address  netip.Addr       `json:"address"`
	AS       uint32           `json:"as_number"`
	Manage   inventory.Manage `json:"manage"`
	Verified bool             `json:"verified"`      // it was read
	Why      string           `json:"why,omitempty"` // it was not
	Sessions []BGPSession     `json:"sessions"`
	Findings []BGPFinding     `json:"findings"`
}

// BGPSession is one session between a host and a BIG-IP. An end that could not be
// read is nil, and Why says so of the host's.
type BGPSession struct {
	Host    string  `json:"host"`
	AtHost  *BGPEnd `json:"at_host,omitempty"`
	Why     string  `json:"why,omitempty"`
	AtBigIP *BGPEnd `json:"at_bigip,omitempty"`
}

// BGPEnd is a session as one end tells it.
type BGPEnd struct {
	State    string `json:"state"` // RFC 4271's words; "none" where the end does not list it
	Since    string `json:"since,omitempty"`
	Prefixes int    `json:"prefixes"` // received and accepted
	Reason   string `json:"reason,omitempty"`
}

// BGPFinding is a difference between what a BIG-IP has and what it should have.
type BGPFinding struct {
	Kind string `json:"kind"`
	Host string `json:"host,omitempty"`
	Text string `json:"text"`
}

// MeshStatus is one host's sessions with other hosts, in numbers.
type MeshStatus struct {
	Host string   `json:"host"`
	Up   int      `json:"up"`
	Want int      `json:"want"`
	Down []string `json:"down,omitempty"` // "kube-node-2: Active"
	Why  string   `json:"why,omitempty"`  // it could not be read
}

// OtherSession is a session with somebody the inventory does not name.
type OtherSession struct {
	Host string `json:"host"`
	Peer string `json:"peer"`
	BGPEnd
}

// Up reports whether the end has its session.
func (e *BGPEnd) Up() bool { return e != nil && e.State == string(bgp.Established) }

// Up reports whether every end that was read has the session, and the host's was.
func (s BGPSession) Up() bool { return s.AtHost.Up() && (s.AtBigIP == nil || s.AtBigIP.Up()) }

// Problems are what is not well, one line each.
func (b BGPStatus) Problems() []string {
	var out []string
	for _, f5 := range b.BigIPs {
		if f5.Manage == inventory.ManageSSH && !f5.Verified {
			out = append(out, fmt.Sprintf("%s: it could not be read: %s", f5.Name, f5.Why))
		}
		for _, s := range f5.Sessions {
			switch {
			case s.Why == hostAway: // told once, not for each BIG-IP
			case s.AtHost == nil:
				out = append(out, fmt.Sprintf("%s: its session with %s is not known: %s", s.Host, f5.Name, s.Why))
			case !s.AtHost.Up():
				out = append(out, fmt.Sprintf("%s: its session with %s is %s", s.Host, f5.Name, strings.TrimSuffix(s.AtHost.State+", "+s.AtHost.Reason, ", ")))
			}
		}
		for _, f := range f5.Findings {
			out = append(out, strings.TrimPrefix(f.Host+": ", ": ")+f5.Name+": "+f.Text)
		}
	}
	for _, m := range b.Mesh {
		if len(m.Down) > 0 {
			out = append(out, fmt.Sprintf("%s: sessions with other hosts are down: %s", m.Host, strings.Join(m.Down, ", ")))
		}
	}
	return out
}

// BGP looks at every session from both ends. What cannot be looked at is told,
// not guessed.
func (s *Session) BGP(ctx context.Context) BGPStatus {
	out := BGPStatus{SchemaVersion: 1, Cluster: s.Cluster.Name, BigIPs: []BigIPStatus{}, Mesh: []MeshStatus{}, Others: []OtherSession{}}
	nodes := s.askBIRDs(ctx)
	for _, b := range s.Cluster.BigIPs {
		out.BigIPs = append(out.BigIPs, s.bigIP(ctx, b, nodes))
	}
	for _, h := range s.Cluster.Hosts() {
		out.Mesh = append(out.Mesh, s.mesh(h, nodes))
		for _, session := range nodes[h.Name].sessions {
			if !s.known(session.Peer) {
				out.Others = append(out.Others, OtherSession{h.Name, session.Peer.String(), *end(session)})
			}
		}
	}
	return out
}

const hostAway = "the host is away"

// birds is what one host's BIRD said.
type birds struct {
	sessions []bgp.Session
	why      string // it said nothing
}

// askBIRDs asks the BIRD of every host that was reached, all at once.
func (s *Session) askBIRDs(ctx context.Context) map[string]birds {
	out := map[string]birds{}
	var mu sync.Mutex
	var targets []ssh.Target
	for _, h := range s.Cluster.Hosts() {
		if why := s.Away[h.Name]; why != nil {
			out[h.Name] = birds{why: hostAway}
			continue
		}
		targets = append(targets, ssh.Target{Name: h.Name})
	}
	s.each(targets, func(t ssh.Target) {
		var b birds
		text, err := facts.BIRD(ctx, s.conns[t.Name])
		if err == nil {
			b.sessions, err = bgp.ParseBIRD(text)
		}
		if err != nil {
			b.why = strings.TrimPrefix(err.Error(), t.Name+": ")
		}
		mu.Lock()
		defer mu.Unlock()
		out[t.Name] = b
	})
	return out
}

// bigIP is one BIG-IP's sessions, and, where it can be read, what is wrong there.
func (s *Session) bigIP(ctx context.Context, b inventory.BigIP, nodes map[string]birds) BigIPStatus {
	out := BigIPStatus{
		Name: b.Name, Address: b.PeerAddress, AS: b.ASNumber, Manage: b.Manage,
		Sessions: []BGPSession{}, Findings: []BGPFinding{},
	}
	far, findings, err := s.farSide(ctx, b)
	switch {
	case b.Manage != inventory.ManageSSH:
		out.Why = "it is managed by hand"
	case err != nil:
		out.Why = strings.TrimPrefix(err.Error(), b.Name+": ")
	default:
		out.Verified = true
		for _, f := range findings {
			out.Findings = append(out.Findings, BGPFinding{string(f.Kind), f.Host, f.Text})
		}
	}
	for _, h := range s.Cluster.Hosts() {
		session := BGPSession{Host: h.Name, Why: nodes[h.Name].why}
		if session.Why == "" {
			session.AtHost = find(nodes[h.Name].sessions, b.PeerAddress)
		}
		if out.Verified {
			session.AtBigIP = find(far, h.Address)
		}
		out.Sessions = append(out.Sessions, session)
	}
	return out
}

// farSide is what a BIG-IP told when it was looked at, and what is wrong with it.
func (s *Session) farSide(ctx context.Context, b inventory.BigIP) ([]bgp.Session, []bgp.Finding, error) {
	snap, seen := s.seen[b.Name]
	if !seen {
		return nil, nil, s.Away[b.Name]
	}
	sessions, err := bgp.ParseNeighbors(snap.Texts[facts.Neighbors])
	if err != nil {
		return nil, nil, err
	}
	routes, err := bgp.ParseRoutes(snap.Texts[facts.Routes])
	if err != nil {
		return nil, nil, err
	}
	peering := s.kept.Peering(s.Cluster, b)
	blocks, err := desired.Blocks(ctx, s.access)
	for i, n := range peering.Neighbors {
		peering.Neighbors[i].Blocks = blocks[n.Name]
	}
	findings := bgp.Verify(peering, sessions, routes)
	if err != nil { // without the blocks only the sessions can be judged
		findings = slices.DeleteFunc(findings, func(f bgp.Finding) bool { return f.Prefix.IsValid() || f.Kind == bgp.NoBlock })
		if !errors.Is(err, cluster.ErrNoCluster) {
			findings = append(findings, bgp.Finding{Kind: "blocks-unknown", Text: "its routes are not judged: which blocks the hosts have is not known: " + err.Error()})
		}
	}
	return sessions, findings, nil
}

// mesh is one host's sessions with the others. In a mesh there is one with each;
// with route reflectors, those that BIRD has are counted.
func (s *Session) mesh(h inventory.Host, nodes map[string]birds) MeshStatus {
	out := MeshStatus{Host: h.Name, Why: nodes[h.Name].why}
	if out.Why != "" {
		return out
	}
	for _, other := range s.Cluster.Hosts() {
		if other.Name == h.Name {
			continue
		}
		e := find(nodes[h.Name].sessions, other.Address)
		if e.State == noSession && s.Cluster.Calico.Topology != inventory.TopologyMesh {
			continue
		}
		out.Want++
		if e.Up() {
			out.Up++
		} else {
			out.Down = append(out.Down, other.Name+": "+e.State)
		}
	}
	return out
}

// known reports whether the inventory names whoever has the address.
func (s *Session) known(peer netip.Addr) bool {
	return slices.ContainsFunc(s.Cluster.Hosts(), func(h inventory.Host) bool { return h.Address == peer }) ||
		slices.ContainsFunc(s.Cluster.BigIPs, func(b inventory.BigIP) bool { return b.PeerAddress == peer })
}

// noSession is the state of a session that an end does not list.
const noSession = "none"

func find(sessions []bgp.Session, peer netip.Addr) *BGPEnd {
	for _, s := range sessions {
		if s.Peer == peer {
			return end(s)
		}
	}
	return &BGPEnd{State: noSession}
}

func end(s bgp.Session) *BGPEnd {
	return &BGPEnd{State: string(s.State), Since: s.Uptime, Prefixes: s.Prefixes, Reason: s.Reason}
}
