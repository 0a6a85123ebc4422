package preflight

import (
	"net/netip"
	"slices"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/internal/survey"
)

// Link is a connection that a host will make: to another, or to a BIG-IP.
type Link struct {
	From, To string
	At       netip.AddrPort
	For      string // what listens there
	// Must says that no cluster comes up without it.
	Must bool
	Ear  Ear
}

// Ear says who answers at the far end of a link. A refusal means that the network
// is in the way only where somebody is known to listen.
type Ear string

// Who listens.
const (
	Somebody Ear = "somebody"
	Nobody   Ear = "nobody" // and somebody may be made to, for the time of a look
	Unknown  Ear = "unknown"
	Peer     Ear = "peer" // a BIG-IP, which may refuse until it is told of us
)

// fullMesh is up to how many joining hosts each speaks BGP with each other before
// the look: above it each is tried with the masters and its neighbours in the
// inventory, since pairs grow with the square of the hosts.
const fullMesh = 16

const bgpPort = 179

// Links are the connections that hosts of which facts are known and that are no
// members yet will make, and those that will be made to them; present are the hosts
// that can be asked. Between members there is nothing to prove, and much to disturb:
// a BGP speaker takes a second connection of its peer's for that one's restart.
func Links(c *inventory.Cluster, facts map[string]survey.Facts, present func(host string) bool) []Link {
	l := links{c: c, facts: facts, joining: map[string]int{}}
	for _, h := range c.Hosts() {
		if !present(h.Name) {
			continue
		}
		l.hosts = append(l.hosts, h)
		if f, known := facts[h.Name]; known && !f.Drove.Member {
			l.joining[h.Name] = len(l.joining)
		}
	}
	l.controlPlane()
	l.mesh()
	l.bigIPs()
	l.fanOut()
	return l.out
}

// links collects them.
type links struct {
	c       *inventory.Cluster
	facts   map[string]survey.Facts
	hosts   []inventory.Host // that can be asked
	joining map[string]int   // the place of each among those that do
	out     []Link
}

func (l *links) add(from, to inventory.Host, port uint16, what string, must bool) {
	if from.Name == to.Name || !l.joins(from) && !l.joins(to) {
		return
	}
	at := netip.AddrPortFrom(to.Address, port)
	l.out = append(l.out, Link{from.Name, to.Name, at, what, must, l.ear(to, at)})
}

func (l *links) joins(h inventory.Host) bool {
	_, ok := l.joining[h.Name]
	return ok
}

// ear tells who listens on a host. Where a component of a member's does not, or of a host's
// on which an earlier run has started some, its port is left alone: systemd may be about to
// start it, or the kubelet a pod. BIRD tries only once to listen, when it starts, and is
// nobody's peer without that.
func (l *links) ear(h inventory.Host, at netip.AddrPort) Ear {
	for _, have := range l.facts[h.Name].Listeners {
		a := have.Address.Addr().Unmap()
		if have.Address.Port() == at.Port() && (a == at.Addr() || a.IsUnspecified()) && !passing(have) {
			return Somebody
		}
	}
	if l.joins(h) && !slices.ContainsFunc(l.facts[h.Name].Units, atWork) {
		return Nobody
	}
	return Unknown
}

// atWork reports whether a unit is drover's and runs, or is about to.
func atWork(u survey.Unit) bool { return u.Ours && u.Active != "inactive" && u.Active != "failed" }

func (l *links) controlPlane() {
	for _, to := range l.hosts {
		master := to.Role == inventory.RoleMaster
		for _, from := range l.hosts {
			if master && from.Role == inventory.RoleMaster {
				l.add(from, to, manifests.EtcdPeerPort, "etcd, for its peers", true)
				// Only drover itself asks an etcd through another master, when SSH to its own fails.
				l.add(from, to, manifests.EtcdClientPort, "etcd, for its clients", false)
			}
			if master && l.c.API.Endpoint == "" { // else they go to the operator's endpoint
				l.add(from, to, manifests.APIServerPort, "the API server", true)
			}
			if from.Role == inventory.RoleMaster {
				l.add(from, to, manifests.KubeletPort(to.Kubelet.Config), "the kubelet", true)
			}
		}
	}
}

// mesh is BGP between the hosts. Calico has the host with the greater address, as
// text, connect to the other.
func (l *links) mesh() {
	for i, a := range l.hosts {
		for _, b := range l.hosts[:i] {
			if !l.peers(a, b) {
				continue
			}
			from, to := a, b
			if from.Address.String() < to.Address.String() {
				from, to = to, from
			}
			l.add(from, to, bgpPort, "Calico's BGP", true)
		}
	}
}

func (l *links) peers(a, b inventory.Host) bool {
	if l.c.Calico.Topology == inventory.TopologyRouteReflectors {
		return slices.Contains(l.c.Calico.RouteReflectors, a.Name) || slices.Contains(l.c.Calico.RouteReflectors, b.Name)
	}
	if len(l.joining) <= fullMesh || a.Role == inventory.RoleMaster || b.Role == inventory.RoleMaster {
		return true
	}
	i, joins := l.joining[a.Name]
	j, both := l.joining[b.Name]
	apart := max(i-j, j-i)
	return !joins || !both || apart == 1 || apart == len(l.joining)-1
}

// fanOut is who hands releases on to whom, which may be any to any. Where that does not
// work another does it.
func (l *links) fanOut() {
	if !l.c.Artifacts.FanOut {
		return
	}
	hosts := slices.DeleteFunc(slices.Clone(l.hosts), func(h inventory.Host) bool { return !l.joins(h) })
	for i, from := range hosts {
		others := hosts
		if len(hosts) > fullMesh {
			others = []inventory.Host{hosts[(i+1)%len(hosts)], hosts[(i+len(hosts)-1)%len(hosts)]}
		}
		for _, to := range others {
			l.add(from, to, uint16(l.c.Artifacts.FanOutPort), "releases that hosts hand on", false)
		}
	}
}

// bigIPs are the sessions with them. One that is managed by hand may be made ready
// while apply waits for it.
func (l *links) bigIPs() {
	for _, b := range l.c.BigIPs {
		for _, h := range l.hosts {
			if l.joins(h) {
				l.out = append(l.out, Link{
					From: h.Name, To: b.Name, At: netip.AddrPortFrom(b.PeerAddress, bgpPort), For: "BGP",
					Must: b.Manage == inventory.ManageSSH, Ear: Peer,
				})
			}
		}
	}
}
