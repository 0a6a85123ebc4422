package lock

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// book is what lock.sh does, for as long as nobody comes in between, without a
// shell. A model needs thousands of calls; that it answers as the script does is a
// test of its own.
type book struct {
	files map[uint64]string
	boot  string
	up    int // seconds since boot
}

// record is what load reads.
type record struct {
	run           string
	left, age     int
	released      bool
	boot, granted string
}

func (b *book) load(epoch uint64, ttl int) (r record, there bool) {
	text, there := b.files[epoch]
	v := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		v[key] = value
	}
	number := func(key string) int {
		n, _ := strconv.Atoi(v[key]) // 0 is none
		return n
	}
	r = record{run: v["run"], boot: v["boot"], granted: v["granted"], released: v["released"] != ""}
	if own := number("ttl"); r.run != "" {
		ttl = own
	}
	if r.left = ttl - b.up; r.boot == b.boot {
		r.left, r.age = number("until")-b.up, b.up-number("granted")
	}
	if r.left < 0 || r.released {
		r.left = 0
	}
	return r, there
}

// names are the epochs as a shell lists their files.
func (b *book) names() []uint64 {
	return slices.SortedFunc(maps.Keys(b.files), func(x, y uint64) int {
		return strings.Compare(fmt.Sprint(x)+".drover", fmt.Sprint(y)+".drover")
	})
}

// call is one call, and the script's output.
func (b *book) call(verb string, epoch uint64, run string, ttl int, over, claim string) string {
	rival := func() (verdict string) {
		for _, e := range b.names() {
			if e > epoch {
				return outrun
			}
			if r, _ := b.load(e, ttl); e < epoch && r.left > 0 && over != "all" && (over != r.run || r.run == "") {
				verdict = busy
			}
		}
		return verdict
	}
	lease := func(granted string) {
		b.files[epoch] = fmt.Sprintf("%s\nttl=%d\nboot=%s\ngranted=%s\nuntil=%d\n", claim, ttl, b.boot, granted, b.up+ttl+1)
	}
	ours := func() bool {
		r, there := b.load(epoch, ttl)
		return there && r.run == run && !r.released
	}
	renew := func() string {
		switch {
		case !ours():
			return gone
		case rival() == outrun:
			return outrun
		}
		r, _ := b.load(epoch, ttl)
		if r.boot != b.boot {
			r.granted = fmt.Sprint(b.up)
		}
		lease(r.granted)
		return granted
	}
	verdict := map[string]string{"show": "shown", "withdraw": "withdrawn", "release": "released"}[verb]
	switch verb {
	case "renew":
		verdict = renew()
	case "withdraw", "release":
		if ours() {
			b.files[epoch] = claim + "\nreleased=1\n"
		}
	case "take":
		r, there := b.load(epoch, ttl)
		switch verdict = rival(); {
		case verdict != "":
		case there && r.left <= 0:
			verdict = outrun
		case there && r.run != run:
			verdict = busy
		case there:
			verdict = renew()
		default:
			lease(fmt.Sprint(b.up))
			for e := range b.files {
				if e < epoch {
					delete(b.files, e)
				}
			}
			verdict = granted
		}
	}
	out := "@@drover-lock@@ begin\n"
	for _, e := range b.names() {
		r, _ := b.load(e, ttl)
		out += fmt.Sprintf("@@drover-lock@@ claim %d %d %d\n%s\n", e, r.left, r.age, b.files[e])
	}
	return out + "@@drover-lock@@ end " + verdict + "\n"
}

// What the model stands on does what the real script does.
func TestTheBookIsTheScript(t *testing.T) {
	everyShell(t, func(t *testing.T, m *master) {
		b := &book{files: map[uint64]string{}, boot: m.boot, up: 1000}
		at := func(up int) { b.up = up; m.set(up) }
		boot := func(name string, up int) { b.boot = name; m.boot = name; at(up) }
		both := func(verb string, epoch uint64, run, over string) {
			t.Helper()
			c := call{verb: verb, epoch: epoch, claim: claimOf(run), over: over}
			want := b.call(verb, epoch, run, 60, over, c.claim.text())
			res, err := m.Aside(t.Context(), fleetOf(m).filled().command(c))
			if err != nil || string(res.Stdout) != want {
				t.Fatalf("%s %d by %q over %q: %v\n%s\nthe book:\n%s", verb, epoch, run, over, err, res.Stdout, want)
			}
		}
		both("show", 0, "", "")
		both("take", 9, "a", "")
		at(1030)
		both("take", 9, "a", "")
		both("take", 9, "b", "")
		both("take", 10, "b", "")
		both("take", 8, "b", "")
		both("take", 10, "b", "x")
		both("take", 10, "b", "a")
		both("renew", 9, "a", "")
		both("renew", 10, "b", "")
		boot("boot-2", 20)
		both("renew", 10, "b", "")
		boot("boot-3", 50)
		both("take", 11, "c", "")
		both("take", 11, "c", "all")
		both("withdraw", 11, "b", "")
		both("withdraw", 11, "c", "")
		both("take", 11, "c", "")
		both("renew", 11, "c", "")
		both("take", 12, "c", "")
		at(200)
		both("renew", 12, "c", "")
		at(300)
		both("take", 12, "d", "")
		both("take", 13, "d", "")
		both("release", 13, "c", "")
		both("release", 13, "d", "")
		both("show", 0, "", "")
	})
}
