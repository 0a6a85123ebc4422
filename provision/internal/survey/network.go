package survey

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// What ip prints.

// link reads a line such as
//
//	2: eth0@if11: <BROADCAST,UP> mtu 1500 … \    link/ether ce:a2:2f:2f:9a:4c brd …
func (p *parser) link(line string) error {
	words := strings.Fields(line)
	if len(words) < 3 {
		return fmt.Errorf("line %q", line)
	}
	i := Interface{Name: interfaceName(words[1])}
	for n, w := range words[:len(words)-1] {
		switch w {
		case "mtu":
			mtu, err := strconv.Atoi(words[n+1])
			if err != nil {
				return fmt.Errorf("line %q: %w", line, err)
			}
			i.MTU = mtu
		case "link/ether":
			i.MAC = words[n+1]
		}
	}
	p.Interfaces = append(p.Interfaces, i)
	return nil
}

func interfaceName(word string) string {
	name, _, _ := strings.Cut(strings.TrimSuffix(word, ":"), "@")
	return name
}

// address reads a line such as
//
//	2: eth0    inet 10.90.0.21/24 scope global eth0\       valid_lft …
func (p *parser) address(line string) error {
	words := strings.Fields(line)
	if len(words) < 4 {
		return fmt.Errorf("line %q", line)
	}
	text := words[3]
	if !strings.Contains(text, "/") { // of a point-to-point link
		text += map[string]string{"inet": "/32", "inet6": "/128"}[words[2]]
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf("line %q: %w", line, err)
	}
	name := interfaceName(words[1])
	for i := range p.Interfaces {
		if p.Interfaces[i].Name == name {
			p.Interfaces[i].Addresses = append(p.Interfaces[i].Addresses, prefix)
			return nil
		}
	}
	p.Interfaces = append(p.Interfaces, Interface{Name: name, Addresses: []netip.Prefix{prefix}}) // it came meanwhile
	return nil
}

// route reads a line such as
//
//	10.100.2.0/26 via 10.90.0.12 dev eth0 proto bird
//	blackhole 10.100.1.0/26 proto bird
//
// Lines that go on from one, the hops of several ways, begin with nexthop.
func (p *parser) route(line string) error {
	words := strings.Fields(line)
	if words[0] == "nexthop" {
		return nil
	}
	switch words[0] {
	case "blackhole", "unreachable", "prohibit", "throw", "unicast":
		words = words[1:]
	case "local", "broadcast", "multicast": // of no other network than the interfaces'
		return nil
	}
	if len(words) == 0 {
		return fmt.Errorf("line %q", line)
	}
	var r Route
	var err error
	switch to := words[0]; {
	case to == "default":
		r.To = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	case strings.Contains(to, "/"):
		r.To, err = netip.ParsePrefix(to)
	default:
		var a netip.Addr
		a, err = netip.ParseAddr(to)
		r.To = netip.PrefixFrom(a, a.BitLen())
	}
	if err != nil {
		return fmt.Errorf("line %q: %w", line, err)
	}
	for n, w := range words[:len(words)-1] {
		switch w {
		case "via":
			r.Via = words[n+1]
		case "dev":
			r.Interface = words[n+1]
		case "proto":
			r.Proto = words[n+1]
		}
	}
	p.Routes = append(p.Routes, r)
	return nil
}
