package preflight

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/survey"
)

// What a host's network is.

func addressAbsent(_ *inventory.Cluster, s subject) []Finding {
	if _, ok := s.ownInterface(); ok || !s.facts.NetworkSeen {
		return nil
	}
	var has []string
	for _, i := range s.facts.Interfaces {
		for _, a := range i.Addresses {
			if a.Addr().Is4() && !a.Addr().IsLoopback() && !calicos(i.Name) {
				has = append(has, fmt.Sprintf("%s on %s", a.Addr(), i.Name))
			}
		}
	}
	measured := "no IPv4 address"
	if len(has) > 0 {
		measured = strings.Join(has, ", ")
	}
	return []Finding{{
		Severity: Fail, Measured: measured, Wanted: s.Address.String(),
		Text: fmt.Sprintf("none of its interfaces has the address %s, which its components are to listen on (it has %s)", s.Address, measured),
		Fix:  "write the address that the host itself has; one that is translated on the way to it goes into ssh_config as its HostName",
		At:   s.Where.At("address").Ptr(),
	}}
}

// mtuDiffers compares the interfaces that hosts reach each other by with what most
// of them have.
func mtuDiffers(r round) []Finding {
	by := map[int]int{}
	for _, s := range r.hosts {
		if i, ok := s.ownInterface(); ok {
			by[i.MTU]++
		}
	}
	if len(by) < 2 {
		return nil
	}
	// The smaller of two that are as common: it is the one that works.
	most := slices.MaxFunc(slices.Sorted(maps.Keys(by)), func(a, b int) int { return by[a] - by[b] })
	var all []Finding
	for _, s := range r.hosts {
		i, ok := s.ownInterface()
		if !ok || i.MTU == most {
			continue
		}
		all = append(all, Finding{
			Host: s.Name, Severity: Warn, Measured: fmt.Sprint(i.MTU), Wanted: fmt.Sprint(most),
			Text: fmt.Sprintf("its interface %s has an MTU of %d, where most hosts have %d: large packets between them are lost where nobody may say so", i.Name, i.MTU, most),
			Fix:  fmt.Sprintf("give the interface an MTU of %d there, if the network carries it", most),
			At:   s.Where.At("address").Ptr(),
		})
	}
	return all
}

// networkOverlap tells of networks that the host has and that are to be the pods'
// or the services': either would hide the other. A wider route through a gateway
// hides nothing, as the default route does not.
func networkOverlap(c *inventory.Cluster, s subject) []Finding {
	type network struct {
		prefix netip.Prefix
		what   string
		near   bool
	}
	var networks []network
	for _, i := range s.facts.Interfaces {
		for _, a := range i.Addresses {
			if !calicos(i.Name) && a.Addr().Is4() && !a.Addr().IsLoopback() {
				networks = append(networks, network{a.Masked(), "on " + i.Name, true})
			}
		}
	}
	for _, t := range s.facts.Routes {
		if !calicosRoute(t) && t.To.Bits() > 0 && t.Proto != "kernel" { // the kernel's are the interfaces'
			networks = append(networks, network{t.To, routed(t), t.Via == ""})
		}
	}
	var all []Finding
	for _, n := range networks {
		for _, of := range []struct {
			attr   string
			prefix netip.Prefix
		}{{"pod_cidr", c.PodCIDR}, {"service_cidr", c.ServiceCIDR}} {
			if !n.prefix.Overlaps(of.prefix) || !n.near && n.prefix.Bits() < of.prefix.Bits() {
				continue
			}
			all = append(all, Finding{
				Severity: Fail, Measured: n.prefix.String(), Wanted: fmt.Sprintf("nothing in %s", of.prefix),
				Text: fmt.Sprintf("it has the network %s (%s), which overlaps %s %s", n.prefix, n.what, of.attr, of.prefix),
				Fix:  fmt.Sprintf("choose a %s that nothing there uses, or take the network off the host", of.attr),
				At:   c.Where.At(of.attr).Ptr(),
			})
		}
	}
	return all
}

func routed(t survey.Route) string {
	switch {
	case t.Via != "" && t.Interface != "":
		return fmt.Sprintf("a route via %s on %s", t.Via, t.Interface)
	case t.Interface != "":
		return "a route to " + t.Interface
	}
	return "a route"
}

// calicos tells an interface that Calico has made for a pod.
func calicos(name string) bool { return strings.HasPrefix(name, "cali") }

// calicosRoute tells a route that Calico has made: BIRD's to blocks, Felix's to pods.
func calicosRoute(t survey.Route) bool { return t.Proto == "bird" || calicos(t.Interface) }

func dnsBroken(_ *inventory.Cluster, s subject) []Finding {
	var all []Finding
	if _, own := s.Kubelet.Config["resolvConf"]; !own {
		for _, n := range s.facts.Nameservers {
			if a, err := netip.ParseAddr(n); err != nil || !a.IsLoopback() {
				continue
			}
			all = append(all, Finding{
				Severity: Fail, Measured: n, Wanted: "a name server that pods can ask",
				Text: fmt.Sprintf("/etc/resolv.conf names %s: in CoreDNS's pod that is CoreDNS itself, which refuses to start when it would ask itself", n),
				Fix:  `where systemd-resolved runs: kubelet { config = { resolvConf = "/run/systemd/resolve/resolv.conf" } }`,
				At:   s.Kubelet.Where.At("config").Ptr(),
			})
			break
		}
		if len(s.facts.Nameservers) == 0 {
			all = append(all, Finding{
				Severity: Warn, Measured: "no name server", Wanted: "a name server",
				Text: "/etc/resolv.conf names no name server, so pods there will find no names but the cluster's",
				Fix:  "name one in /etc/resolv.conf",
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.facts.Resolves)) {
		if !s.facts.Resolves[name] {
			all = append(all, Finding{
				Severity: Fail, Measured: "not found", Wanted: name,
				Text: fmt.Sprintf("it finds no address for %s, which it has to reach", name),
				Fix:  fmt.Sprintf("look at `getent ahostsv4 %s` there and at /etc/resolv.conf", name),
			})
		}
	}
	return all
}

// Names are those that the cluster's hosts have to look up.
func Names(c *inventory.Cluster) []string {
	var names []string
	add := func(host string) {
		host, _, _ = strings.Cut(host, ":")
		if _, err := netip.ParseAddr(host); err != nil && host != "" {
			names = append(names, host)
		}
	}
	add(c.API.Endpoint)
	add(c.Artifacts.Registry)
	if c.Artifacts.Pull == inventory.PullHosts {
		_, host, _ := strings.Cut(c.Artifacts.Mirror, "://")
		host, _, _ = strings.Cut(host, "/")
		add(host)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
