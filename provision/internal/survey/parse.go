package survey

import (
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/internal/pki"
)

var errCut = errors.New("its answer ended before its end")

// parser is a survey's answer on its way to being facts.
type parser struct {
	Facts
	begin, finish time.Time
	ours          map[string]bool
	ended         bool
}

// parse reads a survey's output. Whatever a shell's start-up files print comes
// before the first section and is passed over; an output without its end is an
// error, never a host with less on it.
func parse(out string, sent, received time.Time) (Facts, error) {
	p := parser{ours: map[string]bool{}, Facts: Facts{
		Interfaces: []Interface{}, Routes: []Route{}, Listeners: []Listener{}, Nameservers: []string{}, Disks: []Disk{}, Units: []Unit{},
		Commands: map[string]bool{}, Features: map[string]Answer{},
	}}
	for _, part := range strings.Split("\n"+out, "\n"+marker)[1:] {
		name, body, _ := strings.Cut(part, "\n")
		if err := p.section(name, body); err != nil {
			return p.Facts, fmt.Errorf("section %s: %w", name, err)
		}
	}
	if !p.ended {
		return p.Facts, errCut
	}
	p.Clock = clock(sent, p.begin, p.finish, received)
	return p.Facts, nil
}

func (p *parser) section(name, body string) (err error) {
	switch name {
	case "begin":
		p.begin, err = instant(body)
	case "finish":
		p.finish, err = instant(body)
	case "os":
		kv := pairs(body)
		p.OS = OS{ID: kv["ID"], Version: kv["VERSION_ID"], Name: kv["PRETTY_NAME"]}
	case "machine":
		return p.machine(pairs(body))
	case "links":
		return eachLine(body, p.link)
	case "addresses":
		return eachLine(body, p.address)
	case "routes":
		return eachLine(body, p.route)
	case "networkend":
		p.NetworkSeen = true
	case "resolv":
		p.resolv(body)
	case "resolves":
		for name, found := range pairs(body) {
			if p.Resolves == nil {
				p.Resolves = map[string]bool{}
			}
			p.Resolves[name] = found == "yes"
		}
	case "listeners":
		p.Listeners, err = ParseListeners(body)
	case "disks":
		return eachLine(body, p.disk)
	case "readonly":
		p.ReadOnly = strings.Fields(body)
	case "commands":
		for _, c := range strings.Fields(body) {
			p.Commands[c] = true
		}
	case "features":
		for k, v := range pairs(body) {
			p.Features[k] = Answer(v)
		}
	case "cgroup":
		p.Cgroup = 1
		if strings.TrimSpace(body) == "cgroup2fs" {
			p.Cgroup = 2
		}
	case "ours":
		for _, u := range strings.Fields(body) {
			p.ours[u] = true
		}
	case "units":
		p.units(body)
	case "left":
		return eachLine(body, p.left)
	case "drove":
		for _, word := range strings.Fields(body) {
			p.Drove.Member = p.Drove.Member || word == "member"
			p.Drove.Etcd = p.Drove.Etcd || word == "etcd"
			if name, ok := strings.CutPrefix(word, "cluster="); ok {
				p.Drove.Cluster = name
			}
			p.Drove.Began = true
		}
	case "authorities":
		p.authorities([]byte(body))
	case "end":
		p.ended = true
	default:
		return errors.New("no such section")
	}
	return err
}

// instant reads seconds with a fraction.
func instant(body string) (time.Time, error) {
	seconds, fraction, _ := strings.Cut(strings.TrimSpace(body), ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	ns, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Unix(s, ns), err
}

func (p *parser) machine(kv map[string]string) (err error) {
	p.Kernel, p.Arch, p.Hostname = kv["kernel"], kv["arch"], kv["hostname"]
	p.MachineID, p.ProductUUID, p.BootID = kv["machine-id"], kv["product-uuid"], kv["boot-id"]
	p.Puppet = kv["puppet"]
	p.Login, p.Sudo = kv["login"], kv["sudo"] == "yes"
	if p.CPUs, err = strconv.Atoi(kv["cpus"]); err != nil {
		return fmt.Errorf("cpus: %w", err)
	}
	if text := kv["conntrack-max"]; text != "" {
		if p.Conntrack, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fmt.Errorf("conntrack-max: %w", err)
		}
	}
	for name, to := range map[string]*int64{"memory-kib": &p.Memory, "swap-kib": &p.Swap} {
		kib, err := strconv.ParseInt(kv[name], 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*to = kib << 10
	}
	return nil
}

// resolv reads /etc/resolv.conf.
func (p *parser) resolv(body string) {
	for line := range strings.Lines(body) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" {
			p.Nameservers = append(p.Nameservers, words[1])
		}
	}
}

// disk reads a path and a line of df's.
func (p *parser) disk(line string) error {
	words := strings.Fields(line)
	if len(words) < 8 {
		return fmt.Errorf("line %q", line)
	}
	d := Disk{Path: words[0], Source: words[1], Type: words[2], Mount: strings.Join(words[7:], " ")}
	for i, to := range []*int64{&d.Size, &d.Free, &d.Inodes, &d.InodesFree} {
		n, err := strconv.ParseInt(words[3+i], 10, 64)
		if err != nil && words[3+i] != "-" { // a file system without such a limit
			return fmt.Errorf("line %q: %w", line, err)
		}
		*to = n
	}
	d.Size, d.Free = d.Size<<10, d.Free<<10
	p.Disks = append(p.Disks, d)
	return nil
}

func (p *parser) units(body string) {
	for _, block := range strings.Split(body, "\n\n") {
		kv := pairs(block)
		if kv["Id"] == "" || kv["LoadState"] == "not-found" {
			continue
		}
		p.Units = append(p.Units, Unit{
			Name: kv["Id"], Active: kv["ActiveState"], Enabled: kv["UnitFileState"], Fragment: kv["FragmentPath"], Ours: p.ours[kv["Id"]],
		})
	}
}

// authorities reads certificates. One that cannot be read is for apply to replace.
func (p *parser) authorities(text []byte) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if d, err := pki.Describe(pem.EncodeToMemory(block)); err == nil {
			p.Authorities = append(p.Authorities, d)
		}
	}
}

func (p *parser) left(line string) error {
	kind, name, _ := strings.Cut(line, " ")
	switch kind {
	case "kubernetes":
		p.Left.Kubernetes = append(p.Left.Kubernetes, name)
	case "cni":
		p.Left.CNI = append(p.Left.CNI, name)
	case "etcd":
		p.Left.EtcdData = true
	default:
		return fmt.Errorf("line %q", line)
	}
	return nil
}

// ParseListeners reads sockets as /proc/net/tcp has them, and who holds which.
func ParseListeners(body string) ([]Listener, error) {
	holders := map[string]Listener{} // by the socket's inode; of several processes the first
	type socket struct {
		inode string
		at    netip.AddrPort
	}
	var sockets []socket
	err := eachLine(body, func(line string) error {
		line, programs, _ := strings.Cut(line, "\t")
		words := strings.Fields(line)
		switch {
		case words[0] == "socket" && len(words) == 3:
			at, err := socketAddress(words[2])
			sockets = append(sockets, socket{words[1], at})
			return err
		case words[0] == "holder" && len(words) == 5:
			if _, known := holders[words[1]]; known {
				return nil
			}
			pid, err := strconv.Atoi(words[2])
			l := Listener{PID: pid, Unit: unitOf(words[3]), Pod: words[4] == "yes"}
			l.Exe, l.Program, _ = strings.Cut(programs, "\t")
			l.Exe = strings.TrimSuffix(l.Exe, " (deleted)")
			holders[words[1]] = l
			return err
		}
		return fmt.Errorf("line %q", line)
	})
	all := []Listener{}
	for _, s := range sockets {
		l := holders[s.inode]
		l.Address = s.at
		all = append(all, l)
	}
	return all, err
}

// unitOf is the unit of a cgroup's path: the last of its names that is a service's.
func unitOf(group string) string {
	unit := ""
	for name := range strings.SplitSeq(group, "/") {
		if strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".scope") {
			unit = name
		}
	}
	return unit
}

// socketAddress reads 0B005A0A:192B: an address in words of the processor's byte order,
// which is the little end first wherever drover runs, and a port.
func socketAddress(s string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err = errors.Join(err, err2); err != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, fmt.Errorf("address %q: %w", s, err)
	}
	for w := 0; w < len(b); w += 4 {
		b[w], b[w+1], b[w+2], b[w+3] = b[w+3], b[w+2], b[w+1], b[w]
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, uint16(n)), nil
}

// pairs reads lines of KEY=VALUE; a value may be quoted as in os-release.
func pairs(body string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(body) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			m[k] = strings.Trim(v, `"'`)
		}
	}
	return m
}

func eachLine(body string, do func(string) error) error {
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := do(line); err != nil {
			return err
		}
	}
	return nil
}
