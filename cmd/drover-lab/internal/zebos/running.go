package zebos

import (
	"cmp"
	"slices"
	"strings"
)

// Running is FRR's running configuration in ZebOS's words.
type Running struct {
	State   State
	Unknown []string // lines ZebOS has no form for, safe to show

	global []item
	bgp    *section
	maps   []section
}

// item is one line of a configuration.
type item struct {
	rule    *rule
	args    args
	negated bool
}

func (i item) text() string {
	if i.negated {
		return "no " + i.rule.zebosForm.render(i.args, false)
	}
	return i.rule.zebosForm.render(i.args, false)
}

// section is a block and what stands in it.
type section struct {
	head  item
	items []item
}

// silent are the lines FRR writes of its own accord, the companions, and ends
// of blocks: no operator of a BIG-IP would know them.
var silent = []string{
	"frr version ", "frr defaults ", "hostname ", "Building configuration...", "Current configuration:",
	"no ip forwarding", "no ipv6 forwarding", "ip forwarding", "ipv6 forwarding", "service integrated-vtysh-config",
	"log timestamp ", "log file ", "no zebra nexthop ", "zebra nexthop ", "end", "exit", "exit-address-family", "!", "#",
}

func isSilent(line string) bool {
	if line == "" || slices.Contains(companions.session, line) || slices.Contains(companions.family, line) {
		return true
	}
	for _, s := range silent {
		if line == strings.TrimSpace(s) || strings.HasSuffix(s, " ") && strings.HasPrefix(line, s) {
			return true
		}
	}
	return false
}

// place is where a line of FRR's stands.
type place struct {
	context Context
	family  bool
}

// ParseRunning reads what FRR's "show running-config" prints.
func ParseRunning(text string) Running {
	var r Running
	var at place
	for _, line := range expand(text) {
		switch {
		case line == "exit" || line == "end":
			at = place{}
		case line == "exit-address-family":
			at.family = false
		case line == family:
			at.family = true
		case isSilent(line):
		default:
			at = r.add(at, line)
		}
	}
	r.order()
	return r
}

// expand writes out what FRR leaves out because it is its default, where
// ZebOS's default is another.
func expand(text string) []string {
	var out, block []string
	inBGP := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "router bgp "):
			inBGP, block = true, []string{line}
		case inBGP && line == "exit":
			out = append(out, expandBGP(block)...)
			out = append(out, line)
			inBGP = false
		case inBGP:
			block = append(block, line)
		default:
			out = append(out, line)
		}
	}
	if inBGP {
		out = append(out, expandBGP(block)...)
	}
	return out
}

func expandBGP(block []string) []string {
	has := func(prefix string) bool {
		return slices.ContainsFunc(block, func(l string) bool { return strings.HasPrefix(l, prefix) })
	}
	const restart = "bgp graceful-restart restart-time "
	var implied []string
	if !has("timers bgp ") {
		implied = append(implied, "timers bgp 60 180")
	}
	switch graceful := slices.Contains(block, "bgp graceful-restart"); {
	case graceful && !has(restart):
		implied = append(implied, restart+"120")
	case !graceful: // the time alone says nothing
		block = slices.DeleteFunc(block, func(l string) bool { return strings.HasPrefix(l, restart) })
	}
	// The pair is read by its second line.
	block = slices.DeleteFunc(block, func(l string) bool { return l == "bgp graceful-restart" })
	return slices.Insert(block, 1, implied...)
}

// add takes one line and returns where the next one stands.
func (r *Running) add(at place, line string) place {
	it, ok := recognise(at, line)
	if !ok && at.context != Global && !at.family { // FRR 8.4 ends every block with exit; older ones did not
		if it, ok = recognise(place{}, line); ok {
			at = place{}
		}
	}
	if !ok {
		r.Unknown = append(r.Unknown, Redact(line))
		return at
	}
	switch {
	case it.rule.opens == RouterBGP:
		if r.bgp != nil { // a second process, in a VRF or view
			r.Unknown = append(r.Unknown, line)
			return at
		}
		r.bgp = &section{head: it}
		r.State.AS, _ = parseAS(it.args)
		return place{context: RouterBGP}
	case it.rule.opens == RouteMap:
		r.maps = append(r.maps, section{head: it})
		return place{context: RouteMap}
	case at.context == RouterBGP:
		r.bgp.items = append(r.bgp.items, it)
	case at.context == RouteMap:
		last := &r.maps[len(r.maps)-1]
		last.items = append(last.items, it)
	default:
		r.State.ExtendedASN = r.State.ExtendedASN || it.rule.zebos == extendedASN
		r.global = append(r.global, it)
	}
	return at
}

func recognise(at place, line string) (item, bool) {
	words := strings.Fields(line)
	negated := len(words) > 1 && words[0] == "no"
	if negated {
		words = words[1:]
	}
	for _, r := range rules() {
		if r.in != at.context || r.af != at.family || r.use != both || r.backForm == nil {
			continue
		}
		if m := r.backForm.match(words, style{}); m.ok {
			return item{r, m.args, negated}, true
		}
	}
	return item{}, false
}

// order brings the lines into ZebOS's order: FRR splits a neighbor's lines
// between session and address family.
func (r *Running) order() {
	byRank := func(a, b item) int { return cmp.Compare(a.rule.rank, b.rule.rank) }
	slices.SortStableFunc(r.global, byRank)
	if r.bgp == nil {
		return
	}
	seen := map[string]int{}
	for _, it := range r.bgp.items {
		if peer := it.args["peer"]; peer != "" {
			if _, ok := seen[peer]; !ok {
				seen[peer] = len(seen) + 1
			}
		}
	}
	slices.SortStableFunc(r.bgp.items, func(a, b item) int {
		return cmp.Or(cmp.Compare(seen[a.args["peer"]], seen[b.args["peer"]]), byRank(a, b))
	})
}

// String is the configuration as ZebOS's "show running-config" prints it.
func (r Running) String() string {
	var b strings.Builder
	b.WriteString("!\nno service password-encryption\n!\n")
	write := func(prefix string) {
		some := false
		for _, it := range r.global {
			if strings.HasPrefix(it.rule.zebos, prefix) {
				b.WriteString(it.text() + "\n")
				some = true
			}
		}
		if some {
			b.WriteString("!\n")
		}
	}
	write("log ")
	write(extendedASN)
	b.WriteString(r.BGP())
	write("ip route ")
	write("access-list ")
	write("ip prefix-list ")
	for _, m := range r.maps {
		m.write(&b)
	}
	b.WriteString("line con 0\n login\nline vty 0 39\n login\n!\nend\n")
	return b.String()
}

// BGP is the router bgp block alone, empty without one.
func (r Running) BGP() string {
	var b strings.Builder
	if r.bgp != nil {
		r.bgp.write(&b)
	}
	return b.String()
}

func (s section) write(b *strings.Builder) {
	b.WriteString(s.head.text() + "\n")
	for _, it := range s.items {
		b.WriteString(" " + it.text() + "\n")
	}
	b.WriteString("!\n")
}
