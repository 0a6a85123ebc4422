package lock

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/droverctl/drover/provision/host"
)

//go:embed lock.sh
var script string

// Lease is how long a claim is good when nobody says otherwise: longer than masters
// that come up, with a busy disk, let anybody wait.
const Lease = 2 * time.Minute

// callLimit bounds one call of one master.
const callLimit = 10 * time.Second

// Conn is a way to a master. Aside runs a command beside all others: it does not
// wait until there is a place for one more.
type Conn interface {
	Name() string
	Aside(ctx context.Context, c host.Cmd) (host.Result, error)
}

// Electorate says who decides: more than half of the masters that the inventory
// declares, and more than half of those that are masters now. Two inventories of one
// cluster need not declare the same.
type Electorate struct{ Declared, Actual []string }

// Majority reports whether those who agree are enough.
func (e Electorate) Majority(agree func(master string) bool) bool {
	for _, all := range [][]string{e.Declared, e.Actual} {
		n := 0
		for _, name := range all {
			if agree(name) {
				n++
			}
		}
		if len(all) > 0 && 2*n <= len(all) {
			return false
		}
	}
	return true
}

// Fleet is where the lock is.
type Fleet struct {
	Masters []Conn // that were reached, in an order that is everybody's
	Electorate
	Lease time.Duration // 0 is Lease
	Dir   string        // "" is Dir
	// Why are errors of masters that were not reached.
	Why []error

	clock  clock
	atOnce int // how many masters are asked at the same time; 0: all
}

// clock is how time passes; a test has it pass by hand.
type clock struct {
	now   func() time.Time
	pause func(context.Context, time.Duration) error
}

func (f Fleet) filled() Fleet {
	if f.Lease == 0 {
		f.Lease = Lease
	}
	if f.Dir == "" {
		f.Dir = Dir
	}
	if f.clock.now == nil {
		f.clock = clock{time.Now, pause}
	}
	if f.atOnce == 0 {
		f.atOnce = -1
	}
	return f
}

// call is one call of the script.
type call struct {
	verb  string
	epoch uint64
	over  string // the run whose claims count for nothing; "all": anybody's
	claim Claim
}

func (f Fleet) command(c call) host.Cmd {
	return host.Cmd{Limit: callLimit, Argv: []string{
		"sh", "-c", script, "drover-lock", c.verb, f.Dir, strconv.FormatUint(c.epoch, 10), c.claim.Run,
		strconv.Itoa(int(f.Lease / time.Second)), c.over, c.claim.text(), "/proc",
	}}
}

func (f Fleet) ask(ctx context.Context, m Conn, c call) (answer, error) {
	res, err := m.Aside(ctx, f.command(c))
	if err != nil {
		return answer{}, err
	}
	if res.Exit != 0 {
		return answer{}, &host.ExitError{Host: m.Name(), Cmd: "drover-lock " + c.verb, Exit: res.Exit, Stderr: string(res.Stderr)}
	}
	a, err := read(string(res.Stdout))
	if err != nil {
		return answer{}, fmt.Errorf("%s: the fleet's lock: %w", m.Name(), err)
	}
	return a, nil
}

// reply is what came of a call.
type reply struct {
	conn Conn
	answer
	err error
}

// askAll asks masters at once.
func (f Fleet) askAll(ctx context.Context, masters []Conn, c call) []reply {
	out := make([]reply, len(masters))
	var g errgroup.Group
	g.SetLimit(f.atOnce)
	for i, m := range masters {
		g.Go(func() error {
			a, err := f.ask(ctx, m, c)
			out[i] = reply{m, a, err}
			return nil
		})
	}
	_ = g.Wait() // each has its own
	return out
}

// State is the lock as the masters have it.
type State struct {
	// Held is whether somebody's claim is good on more than half of the masters.
	Held  bool
	Entry Entry // of the highest epoch that counts; zero when there never was any
	// Masters are what each says of the claim of the highest epoch that it has.
	Masters map[string]Entry
	// Silent are masters that were reached and did not answer, and why.
	Silent map[string]error
}

// Show looks at the lock and changes nothing.
func (f Fleet) Show(ctx context.Context) State {
	f = f.filled()
	return f.state(f.askAll(ctx, f.Masters, call{verb: "show"}))
}

func (f Fleet) state(replies []reply) State {
	s := State{Masters: map[string]Entry{}, Silent: map[string]error{}}
	runs := map[string][]string{} // whose claim is good, where
	for _, r := range replies {
		if r.err != nil {
			s.Silent[r.conn.Name()] = r.err
			continue
		}
		top := highest(r.entries)
		s.Masters[r.conn.Name()] = top
		for _, e := range r.entries {
			if !e.Free() {
				runs[e.Run] = append(runs[e.Run], r.conn.Name())
			}
		}
		if top.Epoch >= s.Entry.Epoch {
			s.Entry = top
		}
	}
	for run, where := range runs {
		if f.Majority(func(m string) bool { return slices.Contains(where, m) }) {
			s.Held, s.Entry = true, f.longest(replies, run)
		}
	}
	return s
}

// longest is a run's claim with the longest lease that any master gives it.
func (f Fleet) longest(replies []reply, run string) (top Entry) {
	for _, r := range replies {
		for _, e := range r.entries {
			if e.Run == run && e.Left >= top.Left {
				top = e
			}
		}
	}
	return top
}

// Seen is what claims an earlier look came upon.
type Seen struct {
	Epoch uint64 // the highest
	Held  bool   // it had not been given back
}

// See makes it of the texts of a look's files, of all masters.
func See(texts ...map[string]string) (s Seen) {
	for _, files := range texts {
		for name, text := range files {
			if !strings.HasPrefix(name, Dir+"/") {
				continue
			}
			e, ok := Parse(name, text)
			switch {
			case !ok:
			case e.Epoch > s.Epoch:
				s = Seen{e.Epoch, !e.Released}
			case e.Epoch == s.Epoch:
				s.Held = s.Held && !e.Released // given back on one is given back
			}
		}
	}
	return s
}
