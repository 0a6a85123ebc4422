package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/droverctl/drover/inventory"
)

func TestRender(t *testing.T) {
	ebgp := testPeering()
	ebgp.BigIP, ebgp.LocalAS, ebgp.ClusterAS = "f5-b", 4200000001, 64512
	secret := testPeering()
	secret.Password = inventory.NewSecret("s3cret-word")
	shown := secret
	shown.Reveal = true
	digits := testPeering()
	digits.Cluster = "2026"
	small := testPeering()
	small.PodCIDR, small.Neighbors = prefix("10.0.0.0/12"), nil
	for name, p := range map[string]Peering{
		"ibgp": testPeering(), "ebgp": ebgp, "password-hidden": secret, "password-shown": shown, "digits": digits, "large": small,
	} {
		t.Run(name, func(t *testing.T) { golden(t, "render-"+name+".zebos", Render(p)) })
	}
	if strings.Contains(strings.Join(Render(secret), "\n"), "s3cret") {
		t.Error("the password is shown unasked")
	}
}

func TestDelta(t *testing.T) {
	want := testPeering()
	want.Password, want.Reveal = inventory.NewSecret("s3cret-word"), true
	got, err := Delta(read(t, "running.txt"), want)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "delta.zebos", got)
	if Paste(nil) != nil {
		t.Error("nothing to enter is pasted all the same")
	}
}

func TestDeltaPassword(t *testing.T) {
	with := func(secret string, reveal bool) Peering {
		p := testPeering()
		p.Reveal = reveal
		if secret != "" {
			p.Password = inventory.NewSecret(secret)
		}
		return p
	}
	base := strings.Join(Render(testPeering()), "\n")
	running := func(line string) string {
		return strings.Replace(base, " neighbor prod1 timers", line+"\n neighbor prod1 timers", 1)
	}
	for name, c := range map[string]struct {
		running string
		want    Peering
		lines   []string
	}{
		"same":           {running(" neighbor prod1 password a"), with("a", true), nil},
		"other":          {running(" neighbor prod1 password b"), with("a", true), []string{"router bgp 64512", " neighbor prod1 password a"}},
		"other, hidden":  {running(" neighbor prod1 password b"), with("a", false), []string{"router bgp 64512", " ! neighbor prod1 password (not shown: enter the BGP password of the inventory here)"}},
		"too many":       {running(" neighbor prod1 password b"), with("", true), []string{"router bgp 64512", " no neighbor prod1 password"}},
		"encrypted":      {running(" neighbor prod1 password 7 00112233"), with("a", true), nil},
		"encryption on":  {"service password-encryption\n!\n" + running(" neighbor prod1 password 00112233"), with("a", true), nil},
		"encryption off": {"no service password-encryption\n!\n" + running(" neighbor prod1 password b"), with("a", true), []string{"router bgp 64512", " neighbor prod1 password a"}},
		"none wanted":    {base, with("", true), nil},
	} {
		got, err := Delta(c.running, c.want)
		if err != nil || !slices.Equal(got, c.lines) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestDeltaConflicts(t *testing.T) {
	want := testPeering()
	_, err := Delta("router bgp 65000\n bgp router-id 10.0.0.1\n!\n", want)
	wantError(t, err, "f5-a", "AS 65000", "64512")

	_, err = Delta("router bgp 64512\n neighbor 10.90.0.21 remote-as 65001\n neighbor 10.90.0.22 peer-group other\n!\n", want)
	wantError(t, err, "10.90.0.21 (kube-node-1) on its own", "10.90.0.22 (kube-node-2) in peer-group other")
}

func TestDeltaOfNothingToDo(t *testing.T) {
	want := testPeering()
	want.LocalAS = 4200000001
	running := strings.Join(Render(want), "\n") // its first lines say nothing in a configuration
	// A comment within the block ends it no more than a blank line.
	running = strings.Replace(running, " neighbor 10.90.0.22", " !\n\n neighbor 10.90.0.22", 1)
	if got, err := Delta(running, want); err != nil || len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
	// Behind the block there are no neighbors.
	running = strings.Replace(running, " !\n", "!\n", 1)
	if got, err := Delta(running, want); err != nil || !slices.Equal(got, []string{"router bgp 4200000001", " neighbor 10.90.0.22 peer-group prod1"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// Without its indentation, as copied out of a web page, it reads the same.
func TestDeltaOfFlatText(t *testing.T) {
	var flat strings.Builder
	for line := range strings.Lines(read(t, "running.txt")) {
		flat.WriteString(strings.TrimLeft(line, " "))
	}
	indented, err1 := Delta(read(t, "running.txt"), testPeering())
	got, err2 := Delta(flat.String(), testPeering())
	if err1 != nil || err2 != nil || !slices.Equal(indented, got) {
		t.Errorf("%v, %v:\n%s\n\n%s", err1, err2, strings.Join(indented, "\n"), strings.Join(got, "\n"))
	}
}

// Whatever runs on a BIG-IP: after the delta was entered there is nothing left
// to do, the members are those wanted, and nobody else's line is gone or new.
func TestDeltaProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyPeering(t)
		before := anyRunning(t, want)
		lines, err := Delta(before.String(), want)
		if err != nil {
			t.Fatalf("%v\n%s", err, before)
		}
		after := before.enter(t, lines)
		if again, err := Delta(after.String(), want); err != nil || len(again) > 0 {
			t.Fatalf("entering it again: %q, %v\nfirst %q\nafter\n%s", again, err, lines, after)
		}
		var members, wanted []string
		for a, g := range parseRunning(after.String()).groupOf {
			if g == want.Group() {
				members = append(members, a)
			}
		}
		for _, n := range want.sorted() {
			wanted = append(wanted, n.Address.String())
		}
		slices.Sort(members)
		slices.Sort(wanted)
		if !slices.Equal(members, wanted) {
			t.Fatalf("members %q, want %q", members, wanted)
		}
		if b, a := before.foreign(want), after.foreign(want); len(before.block) > 0 && !slices.Equal(b, a) {
			t.Fatalf("others' lines were\n%s\nand are\n%s", strings.Join(b, "\n"), strings.Join(a, "\n"))
		}
	})
}

// device is a BIG-IP as far as neighbors go.
type device struct {
	head, tail []string
	as         uint32
	block      []string
}

func (d device) String() string {
	out := slices.Clone(d.head)
	if d.as != 0 {
		out = append(out, fmt.Sprintf("router bgp %d", d.as))
		for _, l := range d.block {
			out = append(out, " "+l)
		}
		out = append(out, " !", " address-family ipv6", " neighbor 192.0.2.99 peer-group elsewhere", " exit-address-family", "!")
	}
	return strings.Join(append(out, d.tail...), "\n") + "\n"
}

// enter does what ZebOS does with the lines: a setting replaces its former
// value, a member taken out of a group that has the AS number goes whole.
func (d device) enter(t *rapid.T, lines []string) device {
	d.head, d.block = slices.Clone(d.head), slices.Clone(d.block)
	for _, l := range lines {
		words := strings.Fields(l)
		switch {
		case l == "bgp extended-asn-cap":
			d.head = append(d.head, l)
		case words[0] == "router":
			var as uint32
			fmt.Sscan(words[2], &as)
			if d.as != 0 && d.as != as {
				t.Fatalf("a second BGP process: %s", l)
			}
			d.as = as
		case !strings.HasPrefix(l, " "):
			t.Fatalf("%q is outside the block", l)
		case words[0] == "no" && words[1] == "neighbor" && words[3] == "peer-group":
			member := strings.Join(words[1:], " ")
			if !slices.Contains(d.block, member) {
				t.Fatalf("%q removes what is not there", l)
			}
			d.block = slices.DeleteFunc(d.block, func(o string) bool { return strings.HasPrefix(o, "neighbor "+words[2]+" ") })
		case words[0] == "no" && words[3] == "password":
			d.block = slices.DeleteFunc(d.block, func(o string) bool { return strings.HasPrefix(o, strings.Join(words[1:], " ")) })
		case words[0] == "neighbor" || words[0] == "max-paths" || words[0] == "bgp":
			key := strings.Join(words[:min(3, len(words)-1)], " ")
			if words[0] == "neighbor" {
				key = strings.Join(words[:3], " ")
			}
			i := slices.IndexFunc(d.block, func(o string) bool { return o == key || strings.HasPrefix(o, key+" ") })
			if i >= 0 {
				d.block[i] = strings.TrimSpace(l)
			} else {
				d.block = append(d.block, strings.TrimSpace(l))
			}
		default:
			t.Fatalf("ZebOS does not know %q", l)
		}
	}
	return d
}

// foreign are the lines that are not about the cluster's group or its members,
// nor the ones that a process may be given when it lacks them.
func (d device) foreign(p Peering) []string {
	r := parseRunning(d.String())
	var out []string
	for _, l := range d.block {
		words := strings.Fields(l)
		ours := words[0] == "neighbor" && (words[1] == p.Group() || r.groupOf[words[1]] == p.Group())
		process := words[0] == "max-paths" || strings.HasPrefix(l, "bgp graceful-restart")
		if !ours && !process {
			out = append(out, l)
		}
	}
	return append(out, append(d.head, d.tail...)...)
}

func anyPeering(t *rapid.T) Peering {
	p := testPeering()
	p.LocalAS = rapid.SampledFrom([]uint32{64512, 65001}).Draw(t, "as")
	p.Neighbors = nil
	for _, i := range rapid.SliceOfDistinct(rapid.IntRange(1, 9), rapid.ID).Draw(t, "hosts") {
		p.Neighbors = append(p.Neighbors, Neighbor{Name: fmt.Sprint("host-", i), Address: host(i), Services: i > 3})
	}
	if rapid.Bool().Draw(t, "secret") {
		p.Password, p.Reveal = inventory.NewSecret(rapid.StringMatching(`[!-~]{1,20}`).Draw(t, "password")), true
	}
	return p
}

func host(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 90, 0, byte(i)}) }

// anyRunning is a BIG-IP with others' neighbors, and a group of ours in any
// state, even half made.
func anyRunning(t *rapid.T, p Peering) device {
	d := device{head: []string{"!", "no service password-encryption", "!"}, tail: []string{"ip route 10.9.0.0/16 10.90.0.1", "line con 0", " login", "end"}}
	if rapid.Bool().Draw(t, "no BGP") {
		return d
	}
	d.as = p.LocalAS
	maybe := func(line string) {
		if rapid.Bool().Draw(t, line) {
			d.block = append(d.block, line)
		}
	}
	d.block = append(d.block, "bgp router-id 192.0.2.1")
	maybe("bgp graceful-restart restart-time 90")
	maybe("max-paths ibgp 2")
	maybe("max-paths ebgp 64")
	maybe("timers bgp 30 90")
	maybe("neighbor other peer-group")
	maybe("neighbor other remote-as 65010")
	maybe("neighbor other password not-ours")
	maybe("neighbor 192.0.2.7 remote-as 65000")
	maybe("neighbor 192.0.2.7 description a neighbor of others")
	maybe("neighbor 192.0.2.8 peer-group other")
	for _, l := range []string{"peer-group", "remote-as 1", "remote-as 64512", "maximum-prefix 12", "maximum-prefix 2048 90", "timers 3 10", "timers 30 90", "route-map IN in", "password old"} {
		words := strings.Fields(l)
		if l == "peer-group" || !slices.ContainsFunc(d.block, func(o string) bool { return strings.HasPrefix(o, "neighbor "+p.Group()+" "+words[0]) }) {
			maybe("neighbor " + p.Group() + " " + l)
		}
	}
	for i := 1; i <= 12; i++ {
		if rapid.Bool().Draw(t, "member") {
			d.block = append(d.block, fmt.Sprintf("neighbor %s peer-group %s", host(i), p.Group()))
			maybe(fmt.Sprintf("neighbor %s description host %d", host(i), i))
		}
	}
	return d
}

func FuzzDelta(f *testing.F) {
	f.Add(read(f, "running.txt"))
	f.Add("router bgp 64512\n neighbor 10.90.0.21 peer-group prod1\n!")
	f.Add("router bgp 99999999999\nneighbor\n")
	f.Fuzz(func(t *testing.T, running string) {
		want := testPeering()
		lines, err := Delta(running, want)
		if err != nil && len(lines) > 0 {
			t.Error("lines and an error")
		}
		for _, l := range lines {
			words := strings.Fields(l)
			if words[0] == "no" && words[len(words)-1] != "prod1" && l != " no neighbor prod1 password" {
				t.Errorf("%q takes away what is not ours", l)
			}
		}
	})
}

// A member that the inventory does not name is neither removed nor judged, and
// where the cluster could not be asked nobody is removed.
func TestWhoIsAMemberIsKept(t *testing.T) {
	before := testPeering()
	running := strings.Join(Render(before), "\n")
	lines := func(p Peering) []string {
		t.Helper()
		got, err := Delta(running, p)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	gone := testPeering()
	gone.Neighbors = gone.Neighbors[1:] // without kube-node-2
	if got, want := lines(gone), []string{"router bgp 64512", " no neighbor 10.90.0.22 peer-group prod1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	kept := testPeering()
	kept.Neighbors[0].Kept = true
	if got := lines(kept); len(got) > 0 {
		t.Errorf("a member is to lose its session: %q", got)
	}
	// On a BIG-IP that lacks it, it is added; one that others configured is theirs.
	old := running
	running = strings.Join(Render(gone), "\n")
	if got, want := lines(kept), []string{"router bgp 64512", " neighbor 10.90.0.22 peer-group prod1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	running = strings.Replace(running, "end", " neighbor 10.90.0.22 remote-as 64512\nend", 1)
	if got := lines(kept); len(got) > 0 {
		t.Errorf("what others configured is changed: %q", got)
	}
	running = old
	unknown := gone
	unknown.Keep = true
	if got := lines(unknown); len(got) > 0 {
		t.Errorf("who may be a member is to lose its session: %q", got)
	}

	sessions, routes := healthy()
	if got := Verify(kept, sessions, routes); len(got) > 0 {
		t.Errorf("a member that is well is not: %+v", got)
	}
	sessions = slices.DeleteFunc(sessions, func(s Session) bool { return s.Peer == addr("10.90.0.22") })
	routes = slices.DeleteFunc(routes, func(r Route) bool { return r.Prefix == prefix("10.100.0.64/26") })
	for i := range routes {
		routes[i].NextHops = slices.DeleteFunc(routes[i].NextHops, func(a netip.Addr) bool { return a == addr("10.90.0.22") })
	}
	if got := Verify(kept, sessions, routes); len(got) > 0 {
		t.Errorf("a member that the inventory does not name is waited for: %+v", got)
	}
	if got := Verify(before, sessions, routes); len(got) == 0 {
		t.Error("nothing is waited for")
	}
}
