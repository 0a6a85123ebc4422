package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/droverctl/drover/cmd/drover-lab/internal/topology"
)

// namespaceDir is where `ip netns` keeps namespaces.
const namespaceDir = "/run/netns"

// prefix marks the namespaces that are ours.
const prefix = "drover-lab."

// Namespace is the name of a party's network namespace, as `ip netns` shows it.
func Namespace(lab, party string) string { return prefix + lab + "." + party }

// Namespaces are the names of the lab's namespaces that exist.
func Namespaces(lab string) ([]string, error) {
	entries, err := os.ReadDir(namespaceDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("network namespaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix+lab+".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Ensure makes what the lab's network has besides its machines: the fabric's
// bridges and gateway, this machine's link and the mirror's. What exists is
// left as it is.
func Ensure(ctx context.Context, lab topology.Lab) error {
	if err := ensureFabric(ctx, lab); err != nil {
		return fmt.Errorf("fabric: %w", err)
	}
	if err := ensureAdmin(ctx, lab); err != nil {
		return fmt.Errorf("this machine's link to the fabric: %w", err)
	}
	mirror := mirrorParty(lab)
	wired, err := Attached(ctx, lab, mirror)
	if err != nil {
		return err
	}
	if !wired {
		return Attach(ctx, lab, mirror)
	}
	return configure(ctx, lab, mirror) // a killed command may have stopped short of it
}

// mirrorParty is the mirror as a machine: it is wired like one.
func mirrorParty(lab topology.Lab) topology.Machine {
	return topology.Machine{Name: topology.Mirror, Interfaces: []topology.Interface{
		{Name: "eth0", Segment: topology.Fabric, Address: onFabric(lab, lab.Mirror)},
	}}
}

func ensureFabric(ctx context.Context, lab topology.Lab) error {
	ns := fabricNS(lab.Name)
	if !made(ns) {
		if exists(ns) {
			if err := ip(ctx, "", "netns del "+ns); err != nil {
				return err
			}
		}
		if err := ip(ctx, "", "netns add "+ns); err != nil {
			return err
		}
	}
	have, err := links(ctx, ns)
	if err != nil {
		return err
	}
	lines := []string{"link set lo up"}
	for n, s := range lab.Segments {
		if !have[s.Bridge] {
			lines = append(lines, fmt.Sprintf("link add %s type bridge forward_delay 0", s.Bridge))
		}
		// Left to itself, a bridge has the least of its ports' addresses: whenever a machine
		// came or went, the others would lose their gateway for seconds.
		lines = append(lines, fmt.Sprintf("link set %s address %s up", s.Bridge, lab.MAC(topology.Gateway, n)))
	}
	fabric := lab.Fabric().Bridge
	lines = append(lines, fmt.Sprintf("addr replace %s dev %s", onFabric(lab, lab.Gateway), fabric))
	for _, r := range lab.GatewayRoutes() {
		lines = append(lines, fmt.Sprintf("route replace %s via %s", r.Dest, r.Via))
	}
	if err := ip(ctx, ns, lines...); err != nil {
		return err
	}
	// The gateway sends a packet back out of the interface it came in by: that
	// is its job here, not a mistake to tell the sender of by a redirect.
	if _, err := inside(ctx, ns, "", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1",
		"net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf."+fabric+".send_redirects=0"); err != nil {
		return err
	}
	_, err = inside(ctx, ns, cutTable, "nft", "-f", "-")
	return err
}

func ensureAdmin(ctx context.Context, lab topology.Lab) error {
	link, port := topology.AdminLink(lab.Name), lab.Port(topology.Admin, 0)
	here, err := links(ctx, "")
	if err != nil {
		return err
	}
	if !here[link] {
		there, err := links(ctx, fabricNS(lab.Name))
		if err != nil {
			return err
		}
		var lines []string
		if there[port] { // a killed command got only half-way
			lines = append(lines, "link del "+port)
		}
		if err := ip(ctx, fabricNS(lab.Name), append(lines,
			fmt.Sprintf("link add %s type veth peer name %s address %s", port, link, lab.MAC(topology.Admin, 0)),
			fmt.Sprintf("link set %s alias %s", port, topology.Admin),
			// This process stands for the namespace it is in.
			fmt.Sprintf("link set %s netns %d", link, os.Getpid()))...); err != nil {
			return err
		}
	}
	if err := ip(ctx, fabricNS(lab.Name), fmt.Sprintf("link set %s master %s up", port, lab.Fabric().Bridge)); err != nil {
		return err
	}
	return ip(ctx, "",
		fmt.Sprintf("link set %s alias %s%s", link, topology.AliasPrefix, lab.Name),
		fmt.Sprintf("addr replace %s dev %s", onFabric(lab, lab.Admin), link),
		fmt.Sprintf("link set %s up", link))
}

// Attach makes a machine's namespace anew, with its links, addresses and
// routes: as a machine that was switched off finds its cards when it comes up.
func Attach(ctx context.Context, lab topology.Lab, m topology.Machine) error {
	if err := Detach(ctx, lab, m); err != nil {
		return err
	}
	ns := Namespace(lab.Name, m.Name)
	if err := ip(ctx, "", "netns add "+ns); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	var outer []string
	for n, i := range m.Interfaces {
		seg, ok := lab.Segment(i.Segment)
		if !ok {
			return fmt.Errorf("%s: no segment %q", m.Name, i.Segment)
		}
		port := lab.Port(m.Name, n)
		outer = append(outer,
			fmt.Sprintf("link add %s type veth peer name %s address %s netns %s", port, i.Name, lab.MAC(m.Name, n), ns),
			fmt.Sprintf("link set %s alias %s", port, m.Name),
			fmt.Sprintf("link set %s master %s up", port, seg.Bridge))
	}
	if err := ip(ctx, fabricNS(lab.Name), outer...); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	return configure(ctx, lab, m)
}

// configure gives a wired machine its addresses and routes.
func configure(ctx context.Context, lab topology.Lab, m topology.Machine) error {
	lines := []string{"link set lo up"}
	for _, i := range m.Interfaces {
		lines = append(lines,
			fmt.Sprintf("addr replace %s dev %s", i.Address, i.Name),
			fmt.Sprintf("link set %s up", i.Name))
	}
	for _, r := range m.Routes {
		lines = append(lines, fmt.Sprintf("route replace %s via %s", r.Dest, r.Via))
	}
	if err := ip(ctx, Namespace(lab.Name, m.Name), lines...); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	return nil
}

// Detach takes a machine off the network: its ports first, because a namespace
// that something still holds open would keep its end of the cable in.
func Detach(ctx context.Context, lab topology.Lab, m topology.Machine) error {
	if exists(fabricNS(lab.Name)) {
		have, err := links(ctx, fabricNS(lab.Name))
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		for n := range m.Interfaces {
			if port := lab.Port(m.Name, n); have[port] {
				if err := ip(ctx, fabricNS(lab.Name), "link del "+port); err != nil {
					return fmt.Errorf("%s: %w", m.Name, err)
				}
			}
		}
	}
	if ns := Namespace(lab.Name, m.Name); exists(ns) {
		if err := ip(ctx, "", "netns del "+ns); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return nil
}

// Attached reports whether a machine has its namespace, and all its ports are
// plugged into a bridge.
func Attached(ctx context.Context, lab topology.Lab, m topology.Machine) (bool, error) {
	if !made(Namespace(lab.Name, m.Name)) {
		return false, nil
	}
	have, err := links(ctx, fabricNS(lab.Name), "type", "bridge_slave")
	if err != nil {
		return false, err
	}
	for n := range m.Interfaces {
		if !have[lab.Port(m.Name, n)] {
			return false, nil
		}
	}
	return true, nil
}

// Destroy removes every namespace and link of the lab, by name alone: it works
// also when nothing else is known of the lab.
func Destroy(ctx context.Context, lab string) error {
	have, err := links(ctx, "")
	if err != nil {
		return err
	}
	var errs []error
	if link := topology.AdminLink(lab); have[link] {
		errs = append(errs, ip(ctx, "", "link del "+link))
	}
	names, err := Namespaces(lab)
	errs = append(errs, err)
	for _, ns := range names {
		errs = append(errs, ip(ctx, "", "netns del "+ns))
	}
	return errors.Join(append(errs, tidy(namespaceDir))...)
}

// tidy undoes what `ip netns add` did to the directory of namespaces when it
// made the first: it is a mount of its own. ip does so again when it needs it;
// for the same reason the directory stays, as another lab may be about to use it.
func tidy(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || len(entries) > 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("network namespaces: %w", err)
	}
	err = unix.Unmount(dir, unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EBUSY) { // no mount, or in use again
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}

func fabricNS(lab string) string { return Namespace(lab, topology.Fabric) }

func exists(namespace string) bool {
	_, err := os.Lstat(namespaceDir + "/" + namespace)
	return err == nil
}

// made reports whether a name is a namespace's. An `ip netns add` that was killed leaves a
// file that is none.
func made(namespace string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(namespaceDir+"/"+namespace, &fs) == nil && fs.Type == unix.NSFS_MAGIC
}

// onFabric is an address with the fabric's prefix length.
func onFabric(lab topology.Lab, a netip.Addr) netip.Prefix {
	return netip.PrefixFrom(a, lab.Fabric().Prefix.Bits())
}
