package labtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// crashing prepares a test that kills: the machine as it was before.
func crashing(t *testing.T) (l lab, before traces) {
	t.Helper()
	suite.Need(t)
	l = crashLab
	before, err := takeTraces()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Run(t, "down") }) // for when the test fails half-way
	return l, before
}

// downToNothing takes the lab down and looks whether this machine is as before.
func (l lab) downToNothing(t *testing.T, before traces) {
	t.Helper()
	l.Must(t, "down")
	if err := before.awaitSame(nil); err != nil {
		t.Fatal(err)
	}
}

// kills is how many moments a run kills at.
func kills() int {
	if labkit.Soak() {
		return 10
	}
	return 3
}

// However far an up got when it is killed, down removes all of it; and another
// up, instead, completes it.
func TestKilledUpIsTakenDownWhole(t *testing.T) {
	l, before := crashing(t)
	inventory := l.full(t)
	whole := l.Run(t, "up", inventory)
	if whole.Code != 0 {
		t.Fatal(whole)
	}
	l.healthy(t)
	l.downToNothing(t, before)
	t.Logf("a whole up takes %s", whole.Took.Round(time.Millisecond))
	r := rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 5))
	for n := range kills() {
		// One moment in each part of the whole, so that each is met.
		moment := time.Duration((float64(n) + r.Float64()) / float64(kills()) * float64(whole.Took))
		up := l.Start(t, "up", inventory)
		killed := up.After(moment, syscall.SIGKILL)
		up.Result()
		t.Logf("killed %v after %s", killed, moment.Round(time.Millisecond))
		if labkit.Soak() && n%2 == 1 || n == kills()-1 {
			again := l.Run(t, "up", inventory)
			if again.Code != 0 {
				t.Fatalf("up after a killed one: %s", again)
			}
			l.healthy(t)
		}
		l.downToNothing(t, before)
	}
}

// A killed down is done by another.
func TestKilledDownIsDoneAgain(t *testing.T) {
	l, before := crashing(t)
	inventory := l.inventory(t, 1, 0, 1)
	r := rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 9))
	for range kills() {
		l.Must(t, "up", inventory)
		down := l.Start(t, "down")
		moment := time.Duration(r.Int64N(int64(600 * time.Millisecond)))
		killed := down.After(moment, syscall.SIGKILL)
		down.Result()
		t.Logf("killed %v after %s", killed, moment.Round(time.Millisecond))
		l.downToNothing(t, before)
	}
}

// Killed while it makes an image, up leaves neither processes nor mounts; what
// it wrote lies in the cache, and can be removed there.
func TestKilledWhileBuildingAnImage(t *testing.T) {
	l, before := crashing(t)
	cache := filepath.Join(labkit.WorkDir(), "cache")
	up := l.Start(t, "up", "--cache-dir", cache, "--skip-components", l.inventory(t, 1, 0, 1))
	labkit.Await(t, time.Minute, "it builds both images", func() error {
		if got := strings.Count(up.Stderr.String(), ": building"); got < 2 {
			return fmt.Errorf("%d of 2; it says %s", got, up.Stderr.String())
		}
		return nil
	})
	delay := time.Duration(rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 7)).Int64N(int64(15 * time.Second)))
	if !up.After(delay, syscall.SIGKILL) {
		t.Fatalf("it ended by itself: %s", up.Result())
	}
	left, err := labkit.Processes(func(p labkit.Process) bool { return p.Mentions(cache) && p.Mentions("mmdebstrap") })
	t.Logf("killed %s into the build; %d of its processes lived on (%v)", delay.Round(time.Millisecond), len(left), err)
	up.Result()
	l.downToNothing(t, before)
	if err := os.RemoveAll(cache); err != nil {
		t.Errorf("the cache cannot be removed: %v", err)
	}
}

// Interrupted as by Ctrl-C, up says how to go on, and does.
func TestInterruptedUpGoesOn(t *testing.T) {
	l, before := crashing(t)
	inventory := l.inventory(t, 1, 1, 0)
	up := l.Start(t, "up", inventory)
	labkit.Await(t, time.Minute, "it is at work", func() error { return l.holds("up") })
	if err := up.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if r := up.Result(); r.Code != 130 || !strings.Contains(r.Stderr, "`drover-lab up` goes on from here") {
		t.Errorf("want exit 130 and how to go on: %s", r)
	}
	l.Must(t, "up", inventory)
	l.healthy(t)
	l.downToNothing(t, before)
}

// holds fails unless a command of that name has the lab's lock.
func (l lab) holds(what string) error {
	holder, err := os.ReadFile(filepath.Join(stateDir, "."+l.Name+".lock"))
	if err == nil && !strings.HasPrefix(string(holder), what+", pid ") {
		err = fmt.Errorf("the lock's holder is %q", holder)
	}
	return err
}

var holder = regexp.MustCompile(`another drover-lab is at work \((up|down), pid \d+\)`)

// Two ups at once, and a down in between: each does its work or says who is at
// work, and the lab is whole afterwards.
func TestTwoAtOnce(t *testing.T) {
	l, before := crashing(t)
	inventory := l.full(t)
	first := l.Start(t, "up", inventory)
	labkit.Await(t, time.Minute, "the first is at work", func() error { return l.holds("up") })
	others := map[string]*labkit.Background{"up": l.Start(t, "up", inventory), "down": l.Start(t, "down")}
	for verb, other := range others {
		switch r := other.Result(); {
		case r.Code == 0: // it waited for its turn
		case r.Code == 75 && holder.MatchString(r.Stderr):
		default:
			t.Errorf("%s during an up: want it done, or exit 75 and the holder: %s", verb, r)
		}
		t.Logf("%s during an up: exit %d after %s", verb, other.Result().Code, other.Result().Took.Round(time.Millisecond))
	}
	if r := first.Result(); r.Code != 0 {
		t.Errorf("the first up: %s", r)
	}
	l.Must(t, "up", inventory) // whoever was the last
	l.healthy(t)
	l.downToNothing(t, before)
}

// Of a lab that is gone, or never was, nothing is left to take down.
func TestDownOfNothing(t *testing.T) {
	l, before := crashing(t)
	l.downToNothing(t, before)
}
