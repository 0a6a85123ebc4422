package lock

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/droverctl/drover/provision/host"
)

const modelLease = time.Minute

// world is masters and the drovers that contend for their lock. Nothing happens in
// it at the same time: what comes in between, while somebody asks a master, is on a
// list that is drawn beforehand.
type world struct {
	now      time.Time
	masters  []*modelMaster
	drovers  []*modelDrover
	meantime []meantime
	within   bool // something that came in between is under way
	top      uint64
	breaks   int
	told     []string
	wrong    string
}

// meantime is what happens while a master is asked.
type meantime struct {
	what   string
	drover int
	after  time.Duration
}

// modelMaster keeps a book.
type modelMaster struct {
	*world
	book
	name   string
	booted time.Time
	down   bool
}

// modelDrover is a drover, run after run. It is paused for as long as it renews nothing.
type modelDrover struct {
	name      string
	runs      int
	seen      Seen
	held      *Held
	displaced bool // somebody has broken the lock since it began to take it
	busy      bool // it does one thing after the other
}

func newWorld(masters, drovers int) *world {
	w := &world{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for n := range masters {
		m := &modelMaster{world: w, name: fmt.Sprint("m", n+1), booted: w.now.Add(-time.Hour)}
		m.files, m.boot = map[uint64]string{}, "boot-0"
		w.masters = append(w.masters, m)
	}
	for n := range drovers {
		w.drovers = append(w.drovers, &modelDrover{name: fmt.Sprint("d", n+1)})
	}
	return w
}

func (w *world) tell(format string, args ...any) {
	w.told = append(w.told, w.now.Format("15:04:05.0 ")+fmt.Sprintf(format, args...))
}

// fleet is the masters as somebody reaches them now.
func (w *world) fleet() Fleet {
	f := Fleet{Lease: modelLease, atOnce: 1, clock: clock{
		now: func() time.Time { return w.now },
		pause: func(context.Context, time.Duration) error {
			w.now = w.now.Add(700 * time.Millisecond)
			return nil
		},
	}}
	for _, m := range w.masters {
		f.Declared = append(f.Declared, m.name)
		if m.down {
			f.Why = append(f.Why, errors.New(m.name+": away"))
		} else {
			f.Masters = append(f.Masters, m)
		}
	}
	return f.filled()
}

func (m *modelMaster) Name() string { return m.name }

// Aside runs the book's script. Before it, and before its answer comes, other
// things happen.
func (m *modelMaster) Aside(_ context.Context, c host.Cmd) (host.Result, error) {
	if m.pass() == "drop" || m.down {
		return host.Result{}, errors.New(m.name + ": no answer")
	}
	epoch, _ := strconv.ParseUint(c.Argv[6], 10, 64)
	ttl, _ := strconv.Atoi(c.Argv[8])
	m.up = int(m.now.Sub(m.booted).Seconds())
	out := m.call(c.Argv[4], epoch, c.Argv[7], ttl, c.Argv[9], c.Argv[10])
	if m.pass() == "drop" {
		return host.Result{}, errors.New(m.name + ": its answer was lost")
	}
	return host.Result{Stdout: []byte(out)}, nil
}

// pass has the next thing happen that comes in between.
func (w *world) pass() string {
	if w.within || len(w.meantime) == 0 {
		return ""
	}
	next := w.meantime[0]
	w.meantime = w.meantime[1:]
	w.within = true
	defer func() { w.within = false }()
	w.now = w.now.Add(next.after)
	w.act(next.what, w.drovers[next.drover])
	return next.what
}

func (w *world) act(what string, d *modelDrover) {
	if d.busy {
		return
	}
	d.busy = true
	defer func() { d.busy = false }()
	switch what {
	case "look":
		w.look(d)
	case "take":
		w.take(d, Request{})
	case "wait for":
		w.take(d, Request{Wait: 90 * time.Second})
	case "break":
		w.take(d, Request{Break: true})
	case "renew":
		w.renew(d)
	case "release":
		w.release(d)
	case "kill":
		w.tell("%s is killed", d.name)
		d.held = nil
	}
	w.check()
}

// look is what an earlier look has seen when somebody takes the lock.
func (w *world) look(d *modelDrover) {
	var texts []map[string]string
	for _, m := range w.masters {
		files := map[string]string{}
		for e, text := range m.files {
			files[fmt.Sprintf("%s/%d.drover", Dir, e)] = text
		}
		if !m.down {
			texts = append(texts, files)
		}
	}
	d.seen = See(texts...)
}

func (w *world) take(d *modelDrover, r Request) {
	if d.held != nil {
		return
	}
	d.runs++
	run := fmt.Sprintf("%s.%d", d.name, d.runs)
	top, breaks := w.top, w.breaks
	if r.Break {
		w.broken()
		w.look(d)
		breaks = w.breaks
	}
	w.tell("%s takes, having seen %+v (break: %t, wait: %s)", run, d.seen, r.Break, r.Wait)
	r.Claim, r.Seen = Claim{Run: run, Owner: d.name, PID: 1, Reason: "model", Since: w.now}, d.seen
	h, err := w.fleet().take(context.Background(), r)
	if err != nil {
		w.tell("%s: %v", run, err)
		return
	}
	d.held, d.displaced = h, breaks != w.breaks
	w.tell("%s has epoch %d of %v, fresh: %t", run, h.Epoch, h.Masters(), h.Fresh)
	if h.Check() == nil && h.Epoch <= top {
		w.fail("%s has epoch %d, and there was %d before it began", run, h.Epoch, top)
	}
	w.top = max(w.top, h.Epoch)
}

// broken notes that from now on who had the lock, or was taking it, may have lost it
// and not know.
func (w *world) broken() {
	w.breaks++
	for _, d := range w.drovers {
		d.displaced = true
	}
}

func (w *world) renew(d *modelDrover) {
	if d.held == nil {
		return
	}
	lost, err := d.held.again(context.Background(), nil)
	w.tell("%s renews: lost: %t, %v", d.name, lost, err)
	if lost {
		d.held = nil
	}
}

func (w *world) release(d *modelDrover) {
	if h := d.held; h != nil {
		w.tell("%s releases %d", d.name, h.Epoch)
		h.giveBack()
		d.held = nil
	}
}

// giveBack releases what nobody renews.
func (h *Held) giveBack() {
	h.stop, h.ended = func() {}, make(chan struct{})
	close(h.ended)
	h.Release(context.Background())
}

// check fails when two may change something, and when the masters have two holders.
func (w *world) check() {
	var may []string
	for _, d := range w.drovers {
		if d.held != nil && !d.displaced && d.held.Check() == nil {
			may = append(may, fmt.Sprintf("%s (epoch %d)", d.name, d.held.Epoch))
		}
	}
	if len(may) > 1 {
		w.fail("two may change something: %v", may)
	}
	good := map[string]int{}
	for _, m := range w.masters {
		m.up = int(m.now.Sub(m.booted).Seconds())
		for e := range m.files {
			if r, _ := m.load(e, 60); r.left > 0 && r.run != "" {
				good[r.run]++
			}
		}
	}
	holders := 0
	for _, n := range good {
		if 2*n > len(w.masters) {
			holders++
		}
	}
	if holders > 1 {
		w.fail("the masters have two holders: %v", good)
	}
}

func (w *world) fail(format string, args ...any) {
	w.tell(format, args...)
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
	}
}

// restart starts a master anew. One that has lost its power may have lost what it was
// told last.
func (m *modelMaster) restart(power bool) {
	m.tell("%s boots, power lost: %t", m.name, power)
	m.boot, m.booted, m.down = fmt.Sprint("boot-", m.now.UnixNano()), m.now, false
	var top uint64
	for e := range m.files {
		top = max(top, e)
	}
	if power && top > 0 {
		m.files[top] = ""
	}
}

// Whoever is paused, cut off, killed or broken, whatever masters go away and come
// back: one may change something, a later one is known by its epoch, and what nobody
// has can be taken.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.SampledFrom([]int{1, 3, 3, 5}).Draw(t, "masters"), 3)
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 5, 30).Draw(t, "steps")
		for _, s := range steps {
			w.now = w.now.Add(s.after)
			w.meantime = s.between
			m := w.masters[s.master%len(w.masters)]
			switch s.what {
			case "down":
				m.down = true
			case "up":
				m.down = false
			case "boot", "power":
				m.restart(s.what == "power")
			default:
				w.act(s.what, w.drovers[s.drover])
			}
			w.check()
			if w.wrong != "" {
				break
			}
		}
		w.meantime = nil
		if w.wrong == "" {
			w.free(rapid.IntRange(0, 4).Draw(t, "away"))
		}
		if w.wrong != "" {
			for _, line := range w.told {
				t.Log(line)
			}
			t.Fatal(w.wrong)
		}
	})
}

// free fails unless what nobody has any more can be taken from whoever is there,
// at once.
func (w *world) free(away int) {
	w.now = w.now.Add(2 * modelLease)
	for n, m := range w.masters {
		m.down = 2*((n+away)%len(w.masters)) > len(w.masters)
	}
	newcomer := &modelDrover{name: "newcomer"}
	w.drovers = append(w.drovers, newcomer)
	w.look(newcomer)
	if w.take(newcomer, Request{}); newcomer.held == nil {
		w.fail("a free lock could not be taken")
	}
	w.check()
}

// step is what happens next, and what comes in between while it does.
type step struct {
	meantime

	master  int
	between []meantime
}

// What happens, what happens while a master is asked, and how long after the last.
var (
	whats  = []string{"take", "take", "wait for", "wait for", "renew", "renew", "look", "release", "kill", "break", "down", "up", "boot", "power", "wait"}
	amidst = []string{"nothing", "nothing", "drop", "drop", "take", "take", "renew", "break", "look", "release", "kill"}
	spans  = []time.Duration{0, 300 * time.Millisecond, time.Second, 19 * time.Second, 25 * time.Second, 58 * time.Second, 61 * time.Second, 130 * time.Second}
)

func drawMeantime(t *rapid.T, whats []string, spans []time.Duration) meantime {
	return meantime{rapid.SampledFrom(whats).Draw(t, "what"), rapid.IntRange(0, 2).Draw(t, "drover"), rapid.SampledFrom(spans).Draw(t, "after")}
}

func drawStep(t *rapid.T) step {
	s := step{meantime: drawMeantime(t, whats, spans), master: rapid.IntRange(0, 4).Draw(t, "master")}
	for range rapid.SampledFrom([]int{0, 0, 0, 2, 4, 8}).Draw(t, "between") {
		s.between = append(s.between, drawMeantime(t, amidst, append([]time.Duration{0, 0, 0, 0, 0}, spans...)))
	}
	return s
}
