package labtest

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// rounds is how many clusters are begun under kills, two kills each.
func rounds() int {
	if labkit.Soak() {
		return 5
	}
	return 1
}

// However far an apply got when it was killed, and the one that went on from
// there, too: the next one finishes, and the cluster is as the inventory says.
func TestKilledApplyGoesOn(t *testing.T) {
	suite.Need(t)
	r := rand.New(rand.NewPCG(uint64(labkit.Seed(t)), 11))
	whole := 50 * time.Second // about what a first apply takes
	if c := current.c; c != nil && c.lab == oneLab && c.booted > 0 {
		whole = c.booted
	}
	for range rounds() {
		c := begin(t, killLab, shape{Masters: 1, Nodes: 1, Routers: 1})
		// One kill in each half of the way; the second apply has gone the first
		// part of it already.
		first := time.Duration(r.Float64() * float64(whole) / 2)
		second := time.Duration((1+r.Float64())*float64(whole)/2) - first
		for _, moment := range []time.Duration{first, second} {
			b := labkit.Start(t, os.Getenv("DROVER"), "-i", c.path(), "apply", "--auto-approve")
			killed := b.After(moment, syscall.SIGKILL)
			left := b.Result()
			if !killed && left.Code != 0 {
				t.Fatalf("it failed by itself: %s", left)
			}
			t.Logf("killed %v after %s; its last word: %s", killed, moment.Round(time.Millisecond), lastLine(left.Stderr))
		}
		again := c.drover(t, "apply", "--auto-approve")
		if again.Code != 0 {
			t.Fatalf("the apply after the killed ones:\n%s", again)
		}
		t.Logf("the apply after them took %s: %s", again.Took.Round(time.Millisecond), lastLine(again.Stdout))
		c.inSync(t)
		c.login(t)
		now(c.nodesReady)(t)
		now(c.etcdMembers)(t)
		soon(c.routesHeld)(t)
	}
}
