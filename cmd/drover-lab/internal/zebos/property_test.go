package zebos

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestRoundTrip: whatever the table can write survives the way to FRR and back.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := drawConfig(t)
		p := NewParser(State{})
		var statements []Statement
		for i, line := range config {
			s, err := p.Parse(i+1, line)
			if err != nil {
				t.Fatalf("%v in\n%s", err, strings.Join(config, "\n"))
			}
			statements = append(statements, s)
		}
		frr := simulate(NewScript(statements).Text())
		back := ParseRunning(frr)
		if len(back.Unknown) > 0 {
			t.Fatalf("not understood: %q in\n%s", back.Unknown, frr)
		}
		if back.State != p.State {
			t.Fatalf("state %+v, want %+v", back.State, p.State)
		}
		got := meaningful(strings.Split(back.String(), "\n"))
		want := meaningful(config)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s\nFRR:\n%s", diff, frr)
		}
		// What is shown can be entered again, and shows the same.
		again, _ := replay(back.String())
		if second := ParseRunning(simulate(again)).String(); second != back.String() {
			t.Fatalf("entered again:\n%s", cmp.Diff(back.String(), second))
		}
	})
}

func replay(config string) (string, []error) {
	p := NewParser(State{})
	var statements []Statement
	var errs []error
	for line := range strings.Lines(config) {
		if strings.TrimSpace(line) == "end" {
			continue
		}
		s, err := p.Parse(0, line)
		if err != nil {
			errs = append(errs, err)
		}
		statements = append(statements, s)
	}
	return NewScript(statements).Text(), errs
}

// meaningful drops what every configuration has, and the order.
func meaningful(lines []string) []string {
	var out []string
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if l != "" && l != "!" && l != "end" && l != "login" && !strings.HasPrefix(l, "line ") && l != "no service password-encryption" {
			out = append(out, l)
		}
	}
	sort.Strings(out)
	return out
}

// unsaid are lines equal to a default both dialects leave out.
var unsaid = []string{"timers bgp 30 90", "bgp graceful-restart restart-time 90", "bgp graceful-restart stalepath-time 360", "bgp default ipv4-unicast"}

// drawConfig makes a configuration out of the table's own rows.
func drawConfig(t *rapid.T) []string {
	out := drawLines(t, Global, "")
	if !slices.Contains(out, extendedASN) { // AS numbers are drawn from all
		out = append(out, extendedASN)
	}
	if rapid.Bool().Draw(t, "bgp") {
		out = append(out, fmt.Sprint("router bgp ", rapid.Uint32Min(1).Draw(t, "as")))
		out = append(out, drawLines(t, RouterBGP, "")...)
		for _, peer := range []string{"pods", "10.0.0.1", "10.0.0.2"} {
			out = append(out, drawLines(t, RouterBGP, peer)...)
		}
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "maps") {
		out = append(out, fmt.Sprintf("route-map map%d permit 10", i))
		out = append(out, drawLines(t, RouteMap, "")...)
	}
	return out
}

// drawLines draws some of the rows of a context, each setting at most once.
func drawLines(t *rapid.T, c Context, peer string) []string {
	var out []string
	set := map[string]bool{}
	for _, r := range rules() {
		ofPeer := r.zebosForm[0].lit == "neighbor"
		if r.in != c || r.use != both || r.opens != Global || ofPeer != (peer != "") || !rapid.Bool().Draw(t, "row") {
			continue
		}
		a := args{}
		drawArgs(t, r.zebosForm, a)
		if ofPeer {
			a["peer"] = peer
			if _, _, ok := r.zebosForm[1].kind.read([]string{peer}); !ok {
				continue
			}
		}
		line := r.zebosForm.render(a, false)
		if key := setting(r.zebosForm); !set[key] && !slices.Contains(unsaid, line) {
			set[key] = true
			out = append(out, line)
		}
	}
	return out
}

// setting names what a row sets: its keywords before the first argument that
// is not the peer.
func setting(p pattern) string {
	var words []string
	for i, e := range p {
		if e.kind != nil && !(i == 1 && e.name == "peer") || e.opt != nil {
			break
		}
		words = append(words, e.lit)
	}
	if s := strings.Join(words, " "); !strings.HasPrefix(s, "bgp graceful-restart restart-time") {
		return s
	}
	return "bgp graceful-restart"
}

func drawArgs(t *rapid.T, p pattern, a args) {
	for _, e := range p {
		switch {
		case e.opt != nil:
			if rapid.Bool().Draw(t, "optional") {
				drawArgs(t, e.opt, a)
			}
		case e.kind != nil:
			if v := drawValue(t, e); v != e.skip || e.skip == "" {
				a[e.name] = v
			}
		}
	}
}

func drawValue(t *rapid.T, e elem) string {
	addr := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("10.%d.%d.%d", rapid.IntRange(0, 255).Draw(t, "b"), rapid.IntRange(0, 255).Draw(t, "c"), rapid.IntRange(0, 255).Draw(t, "d"))
	})
	name := rapid.StringMatching(`[A-Za-z][A-Za-z0-9_./-]{0,15}`)
	word := rapid.StringMatching(`[A-Za-z0-9][!-~]{0,20}`)
	var raw string
	switch k := e.kind.(type) {
	case enum:
		return rapid.SampledFrom(k).Draw(t, e.name)
	case number:
		return fmt.Sprint(rapid.Uint64Range(k.min, k.max).Draw(t, e.name))
	case text:
		raw = strings.Join(rapid.SliceOfN(word, 1, 4).Draw(t, e.name), " ")
	case asPath:
		return strings.Trim(fmt.Sprint(rapid.SliceOfN(rapid.Uint32Min(1), 1, 4).Draw(t, e.name)), "[]")
	case communities:
		one := rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("%d:%d", rapid.IntRange(1, 65534).Draw(t, "as"), rapid.IntRange(0, 65535).Draw(t, "n"))
		})
		raw = strings.Join(rapid.SliceOfN(one, 1, 4).Draw(t, e.name), " ")
	default:
		for _, g := range []*rapid.Generator[string]{addr, name, word, rapid.Map(addr, func(s string) string { return s + "/20" })} {
			raw = g.Draw(t, e.name)
			if _, _, ok := e.kind.read([]string{raw}); ok && rapid.Bool().Draw(t, "this") {
				break
			}
		}
	}
	for _, try := range []string{raw, "10.0.0.1", "10.0.0.0/8", "name"} {
		if v, _, ok := e.kind.read(strings.Fields(try)); ok {
			return v
		}
	}
	panic("no value for " + e.name)
}

// simulate is what FRR would show after the script: blocks gathered, session
// and family apart, its own defaults unsaid, its own lines added.
func simulate(script string) string {
	var global []string
	var session, unicast []string
	var head string
	maps := map[string][]string{}
	var order []string
	in, seq := "", 0
	set := func(list []string, line string) []string {
		for _, single := range []string{"timers bgp ", "bgp graceful-restart restart-time ", "maximum-paths ibgp ", "maximum-paths "} {
			if strings.HasPrefix(line, single) {
				list = slices.DeleteFunc(list, func(l string) bool {
					return strings.HasPrefix(l, single) && (single != "maximum-paths " || !strings.HasPrefix(l, "maximum-paths ibgp"))
				})
				break
			}
		}
		if slices.Contains(list, line) {
			return list
		}
		return append(list, line)
	}
	for line := range strings.Lines(script) {
		switch line = strings.TrimSpace(line); {
		case line == "exit":
			in = ""
		case line == "exit-address-family":
			in = "bgp"
		case line == "address-family ipv4 unicast":
			in = "family"
		case strings.HasPrefix(line, "router bgp "):
			in, head = "bgp", line
		case strings.HasPrefix(line, "route-map "):
			in = line
			if _, ok := maps[line]; !ok {
				order = append(order, line)
				maps[line] = nil
			}
		case in == "bgp":
			session = set(session, line)
		case in == "family":
			unicast = set(unicast, line)
		case in != "":
			maps[in] = set(maps[in], line)
		default:
			if rest, ok := strings.CutPrefix(line, "access-list "); ok {
				seq += 5
				name, what, _ := strings.Cut(rest, " ")
				line = fmt.Sprintf("access-list %s seq %d %s", name, seq, what)
			}
			global = set(global, line)
		}
	}
	for _, unsaid := range []string{"timers bgp 60 180", "bgp graceful-restart restart-time 120"} {
		session = slices.DeleteFunc(session, func(l string) bool { return l == unsaid })
	}
	var b strings.Builder
	b.WriteString("Building configuration...\n\nCurrent configuration:\n!\nfrr version 8.4.4\nfrr defaults traditional\nhostname r\nno ipv6 forwarding\nservice integrated-vtysh-config\n!\n")
	b.WriteString(strings.Join(global, "\n") + "\n!\n")
	if head != "" {
		fmt.Fprintf(&b, "%s\n %s\n !\n address-family ipv4 unicast\n  %s\n exit-address-family\nexit\n!\n", head, strings.Join(session, "\n "), strings.Join(unicast, "\n  "))
	}
	for _, m := range order {
		fmt.Fprintf(&b, "%s\n %s\nexit\n!\n", m, strings.Join(maps[m], "\n "))
	}
	b.WriteString("end\n")
	return b.String()
}

// FuzzParse: no panic, no line without a verdict, nothing untranslated passed on.
func FuzzParse(f *testing.F) {
	for _, r := range rules() {
		f.Add("router bgp 1\n" + r.entry.zebos)
	}
	f.Add("router bgp 1\naddress-family ipv4 unicast\nno neighbor 10.0.0.1 activate\nexit-address-family\n")
	f.Fuzz(func(t *testing.T, lines string) {
		p := NewParser(State{})
		var statements []Statement
		n := 0
		for line := range strings.Lines(lines) {
			n++
			s, err := p.Parse(n, line)
			if err != nil {
				_ = err.(*LineError).Screen(3)
				continue
			}
			statements = append(statements, s)
			ParseExec(n, line, true)
		}
		script := NewScript(statements)
		running := ParseRunning(simulate(script.Text()))
		_ = running.String()
		ParseRunning(lines)
	})
}
