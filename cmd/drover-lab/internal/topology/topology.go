package topology

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
)

// Role is what a machine stands for.
type Role string

// The roles of a lab's machines.
const (
	Master Role = "kube-master"
	Node   Role = "kube-node"
	Router Role = "router" // stands in for a BIG-IP
	Client Role = "client" // a caller behind a router
	Puppet Role = "puppet" // the machines' Puppet server, and the host drover runs on
)

// Parties that are not machines; a machine cannot have one of these names.
const (
	Admin   = "admin"   // this machine, on the fabric by a link of its own
	Mirror  = "mirror"  // the artifact mirror and image registry
	Gateway = "gateway" // the fabric's default gateway
	Fabric  = "fabric"  // the namespace that holds the bridges
)

// PuppetServer is the name of the machine with the role Puppet: agents look for a
// server of this name unless they are told another.
const PuppetServer = "puppet"

// Ports of the mirror's two services.
const (
	MirrorPort   = 80
	RegistryPort = 5000
)

// Lab is everything a lab consists of.
type Lab struct {
	Name      string     `json:"name"`
	Inventory string     `json:"inventory"` // where it came from, for people
	Segments  []Segment  `json:"segments"`  // the fabric first
	Gateway   netip.Addr `json:"gateway"`
	Admin     netip.Addr `json:"admin"`
	Mirror    netip.Addr `json:"mirror"`
	Machines  []Machine  `json:"machines"`
}

// Segment is one layer-2 network: a bridge.
type Segment struct {
	Name   string       `json:"name"`
	Bridge string       `json:"bridge"`
	Prefix netip.Prefix `json:"prefix"`
}

// Machine is one systemd machine.
type Machine struct {
	Name       string      `json:"name"`
	Role       Role        `json:"role"`
	Interfaces []Interface `json:"interfaces"` // the first is the machine's own address
	Routes     []Route     `json:"routes,omitempty"`
	Without    []string    `json:"without,omitempty"` // packages taken off the image
}

// Interface is a machine's link into a segment.
type Interface struct {
	Name    string       `json:"name"`
	Segment string       `json:"segment"`
	Address netip.Prefix `json:"address"`
}

// Route is a static route.
type Route struct {
	Dest netip.Prefix `json:"dest"`
	Via  netip.Addr   `json:"via"`
}

// Address is the machine's own address.
func (m Machine) Address() netip.Addr { return m.Interfaces[0].Address.Addr() }

// User is the account drover-lab and an operator log in as: a BIG-IP's shell
// user is root, a host's is ops.
func (m Machine) User() string {
	if m.Role == Router {
		return "root"
	}
	return "ops"
}

// Fabric is the segment every machine but the clients is on.
func (l Lab) Fabric() Segment { return l.Segments[0] }

// Machine finds a machine by name.
func (l Lab) Machine(name string) (Machine, bool) {
	for _, m := range l.Machines {
		if m.Name == name {
			return m, true
		}
	}
	return Machine{}, false
}

// Segment finds a segment by name.
func (l Lab) Segment(name string) (Segment, bool) {
	for _, s := range l.Segments {
		if s.Name == name {
			return s, true
		}
	}
	return Segment{}, false
}

// RouterOf is the router a client stands behind: the machine that shares the
// client's segment.
func (l Lab) RouterOf(client Machine) (Machine, bool) {
	for _, m := range l.Machines {
		for _, i := range m.Interfaces {
			if m.Role == Router && i.Segment == client.Interfaces[0].Segment {
				return m, true
			}
		}
	}
	return Machine{}, false
}

// Port is the name of the bridge port of a party's n-th interface. Interface
// names hold 15 bytes, less than a host name, so it is a digest of the names;
// the interface's alias says which party it is.
func (l Lab) Port(party string, n int) string {
	return "p" + digest(l.Name, party, fmt.Sprint(n))[:10]
}

// AliasPrefix and the lab's name are the alias of its AdminLink.
const AliasPrefix = "drover-lab:"

// AdminLink is the name of this machine's interface on the lab's fabric.
func AdminLink(lab string) string { return "dl-" + digest(lab)[:10] }

// MAC is the hardware address of a party's n-th interface: locally administered
// and the same after every power cycle, as a real card's is.
func (l Lab) MAC(party string, n int) net.HardwareAddr {
	sum := sha256.Sum256([]byte(l.Name + "/" + party + "/" + fmt.Sprint(n)))
	mac := net.HardwareAddr(sum[:6])
	mac[0] = mac[0]&^1 | 2
	return mac
}

// MachineID is a machine's /etc/machine-id: one of its own, stable for the lab.
func (l Lab) MachineID(name string) string { return digest("machine-id", l.Name, name)[:32] }

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
