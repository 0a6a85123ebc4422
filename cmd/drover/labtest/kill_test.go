package labtest

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"
)

// rounds is how many clusters are begun under kills, two kills each.
func rounds() int {
	if soak() {
		return 5
	}
	return 1
}

// However far an apply got when it was killed, and the one that went on from
// there, too: the next one finishes, and the cluster is as the inventory says.
func TestKilledApplyGoesOn(t *testing.T) {
	need(t)
	r := rand.New(rand.NewPCG(uint64(seed(t)), 11))
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
			b := start(t, os.Getenv("DROVER"), c.args("apply", "--auto-approve")...)
			killed := b.after(moment, syscall.SIGKILL)
			left := b.result()
			if !killed && left.code != 0 {
				t.Fatalf("it failed by itself: %s", left)
			}
			t.Logf("killed %v after %s; its last word: %s", killed, moment.Round(time.Millisecond), lastLine(left.stderr))
		}
		again := c.drover(t, "apply", "--auto-approve")
		if again.code != 0 {
			t.Fatalf("the apply after the killed ones:\n%s", again)
		}
		t.Logf("the apply after them took %s: %s", again.took.Round(time.Millisecond), lastLine(again.stdout))
		c.inSync(t)
		c.login(t)
		c.nodesReady(t)
		c.etcdMembers(t)
		c.routesHeld(t)
	}
}
