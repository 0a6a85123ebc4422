package topology

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"regexp"
	"slices"
)

// Host is what an inventory says of one machine, as far as a lab needs it.
type Host struct {
	Name    string
	Role    Role // Master, Node or Router
	Address netip.Addr
	Without []string // packages this machine is made without
}

// clientNetworks is where the clients' segments come from: RFC 2544's
// benchmarking range, which no inventory of real machines uses.
var clientNetworks = netip.MustParsePrefix("198.18.0.0/15")

// maxName keeps "drover-lab.LAB.MACHINE" and the machine's host name within
// what the kernel and systemd take (64 bytes each).
const maxName = 24

var labName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Build computes the lab of an inventory. Hosts keep their order; each router
// gets a client. Errors name every host that cannot be placed.
func Build(name, inventory string, hosts []Host) (Lab, error) {
	if !labName.MatchString(name) || len(name) > maxName {
		return Lab{}, fmt.Errorf("lab name %q: at most %d lower-case letters, digits and inner hyphens", name, maxName)
	}
	if err := checkHosts(hosts); err != nil {
		return Lab{}, err
	}
	prefix, err := fabricPrefix(hosts)
	if err != nil {
		return Lab{}, err
	}
	if err := checkEnds(prefix, hosts); err != nil {
		return Lab{}, err
	}
	free := freeFromTop(prefix, hosts)
	if len(free) < 3 {
		return Lab{}, fmt.Errorf("network %s: no three addresses left for gateway, admin and mirror", prefix)
	}
	lab := Lab{
		Name: name, Inventory: inventory,
		Segments: []Segment{{Name: Fabric, Bridge: "fabric", Prefix: prefix}},
		Gateway:  free[0], Admin: free[1], Mirror: free[2],
	}
	for _, h := range hosts {
		lab.add(h)
	}
	return lab, nil
}

// add appends a host, and a router's client and segment with it.
func (l *Lab) add(h Host) {
	m := Machine{Name: h.Name, Role: h.Role, Without: h.Without, Interfaces: []Interface{
		{Name: "eth0", Segment: Fabric, Address: netip.PrefixFrom(h.Address, l.Fabric().Prefix.Bits())},
	}}
	if h.Role != Router {
		m.Routes = []Route{{Dest: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: l.Gateway}}
		l.Machines = append(l.Machines, m)
		return
	}
	n := len(l.Segments) // the fabric is segment 0
	seg := Segment{Name: clientOf(h.Name), Bridge: fmt.Sprintf("client%d", n), Prefix: clientPrefix(n)}
	inside := seg.Prefix.Addr().Next()
	m.Interfaces = append(m.Interfaces, Interface{Name: "eth1", Segment: seg.Name, Address: netip.PrefixFrom(inside, seg.Prefix.Bits())})
	client := Machine{
		Name: seg.Name, Role: Client,
		Interfaces: []Interface{{Name: "eth0", Segment: seg.Name, Address: netip.PrefixFrom(inside.Next(), seg.Prefix.Bits())}},
		Routes:     []Route{{Dest: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Via: inside}},
	}
	l.Segments = append(l.Segments, seg)
	l.Machines = append(l.Machines, m, client)
}

// WithPuppet is the lab with a Puppet server, on the highest address that is free; a
// lab that has one stays as it is.
func (l Lab) WithPuppet() (Lab, error) {
	if have, ok := l.Machine(PuppetServer); ok {
		if have.Role != Puppet {
			return l, fmt.Errorf("%s: the inventory has a host of the name that the lab's Puppet server has: rename the host", have.Name)
		}
		return l, nil
	}
	taken := []Host{{Address: l.Gateway}, {Address: l.Admin}, {Address: l.Mirror}}
	for _, m := range l.Machines {
		taken = append(taken, Host{Address: m.Address()})
	}
	free := freeFromTop(l.Fabric().Prefix, taken)
	if len(free) == 0 {
		return l, fmt.Errorf("network %s: no address left for the Puppet server", l.Fabric().Prefix)
	}
	l.Machines = slices.Clone(l.Machines)
	l.add(Host{Name: PuppetServer, Role: Puppet, Address: free[0]})
	return l, nil
}

// GatewayRoutes are the routes only the gateway knows: each client's network by
// its router, so that answers find their way back.
func (l Lab) GatewayRoutes() []Route {
	var routes []Route
	for _, m := range l.Machines {
		if m.Role != Router {
			continue
		}
		if seg, ok := l.Segment(m.Interfaces[1].Segment); ok {
			routes = append(routes, Route{Dest: seg.Prefix, Via: m.Address()})
		}
	}
	return routes
}

// Extend is the lab with the hosts of an inventory that it does not hold yet.
// Machines it has are left as they are, also when the inventory no longer names
// them; a changed address or role of a machine that exists is an error.
func (l Lab) Extend(hosts []Host) (Lab, error) {
	if err := checkHosts(hosts); err != nil {
		return Lab{}, err
	}
	l.Machines, l.Segments = slices.Clone(l.Machines), slices.Clone(l.Segments)
	errs := []error{checkEnds(l.Fabric().Prefix, hosts)}
	for _, h := range hosts {
		have, ok := l.Machine(h.Name)
		switch {
		case ok && (have.Address() != h.Address || have.Role != h.Role):
			errs = append(errs, fmt.Errorf("%s: the lab has it as %s at %s, the inventory as %s at %s: take the lab down first",
				h.Name, have.Role, have.Address(), h.Role, h.Address))
		case ok:
		case !l.Fabric().Prefix.Contains(h.Address):
			errs = append(errs, fmt.Errorf("%s: address %s is outside the lab's network %s: take the lab down first",
				h.Name, h.Address, l.Fabric().Prefix))
		case h.Address == l.Gateway || h.Address == l.Admin || h.Address == l.Mirror:
			errs = append(errs, fmt.Errorf("%s: address %s is the lab's own (gateway, admin or mirror): take the lab down first",
				h.Name, h.Address))
		case l.ownerOf(h.Address) != "":
			errs = append(errs, fmt.Errorf("%s: address %s is %s's, which the lab still has: take the lab down first",
				h.Name, h.Address, l.ownerOf(h.Address)))
		default:
			l.add(h)
		}
	}
	return l, errors.Join(errs...)
}

// ownerOf is the machine that has the address, or "".
func (l Lab) ownerOf(a netip.Addr) string {
	for _, m := range l.Machines {
		if m.Address() == a {
			return m.Name
		}
	}
	return ""
}

// clientOf is the name of a router's client, and of the segment between them.
func clientOf(router string) string { return router + "-client" }

func checkHosts(hosts []Host) error {
	own := []string{Admin, Mirror, Gateway, Fabric}
	for _, h := range hosts {
		if h.Role == Router {
			own = append(own, clientOf(h.Name))
		}
	}
	var errs []error
	for _, h := range hosts {
		switch {
		case slices.Contains(own, h.Name):
			errs = append(errs, fmt.Errorf("%s: the lab uses this name itself: rename the host", h.Name))
		case len(h.Name) > maxName:
			errs = append(errs, fmt.Errorf("%s: a lab machine's name has at most %d characters", h.Name, maxName))
		}
		if clientNetworks.Contains(h.Address) {
			errs = append(errs, fmt.Errorf("%s: address %s is in %s, where the lab puts the clients", h.Name, h.Address, clientNetworks))
		}
	}
	return errors.Join(errs...)
}

// fabricPrefix is the smallest network that holds all hosts, no smaller than a
// /24 and no larger than a /16: an inventory names addresses, not networks.
func fabricPrefix(hosts []Host) (netip.Prefix, error) {
	if len(hosts) == 0 {
		return netip.Prefix{}, errors.New("the inventory has no machine")
	}
	common := 24
	first := hosts[0].Address
	for _, h := range hosts[1:] {
		common = min(common, commonBits(first, h.Address))
	}
	if common < 16 {
		return netip.Prefix{}, fmt.Errorf("the machines' addresses share only their first %d bits: a lab has one network of at most a /16", common)
	}
	return first.Prefix(common)
}

// checkEnds refuses a network's first and last address: they are no machine's.
func checkEnds(p netip.Prefix, hosts []Host) error {
	var errs []error
	for _, h := range hosts {
		if h.Address == p.Addr() || h.Address == broadcast(p) {
			errs = append(errs, fmt.Errorf("%s: address %s is an end of the lab's network %s: give the machine another", h.Name, h.Address, p))
		}
	}
	return errors.Join(errs...)
}

func commonBits(a, b netip.Addr) int {
	x, y := a.As4(), b.As4()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return 8*i + bits.LeadingZeros8(d)
		}
	}
	return 32
}

// freeFromTop are the three highest usable addresses no host has.
func freeFromTop(p netip.Prefix, hosts []Host) []netip.Addr {
	used := map[netip.Addr]bool{}
	for _, h := range hosts {
		used[h.Address] = true
	}
	var free []netip.Addr
	for a := broadcast(p).Prev(); p.Contains(a) && a != p.Addr() && len(free) < 3; a = a.Prev() {
		if !used[a] {
			free = append(free, a)
		}
	}
	return free
}

func broadcast(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(a)
}

// clientPrefix is the n-th /24 of the clients' range.
func clientPrefix(n int) netip.Prefix {
	a := clientNetworks.Addr().As4()
	a[1] += byte(n >> 8)
	a[2] = byte(n)
	return netip.PrefixFrom(netip.AddrFrom4(a), 24)
}
