package labtest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// One BIG-IP is drover's, the other one's side is entered by an operator, who types
// what apply prints while apply waits for it. The tests go on from each other.
func TestManualBigIP(t *testing.T) {
	c := begin(t, manualLab, shape{Masters: 1, Nodes: 1, Routers: 2, Manual: map[string]string{"f5-b": "10m"}})
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"bootstrap", c.enteredWhileApplyWaits},
		{"apply again", c.unverifiedAndInSync},
		{"a neighbor is missing", c.oneNeighborByHand},
	} {
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
	}
}

// enteredWhileApplyWaits begins a cluster: all that needs no operator is done
// before what needs one, and apply ends by itself once the lines are entered.
func (c *cluster) enteredWhileApplyWaits(t *testing.T) {
	b := labkit.Start(t, os.Getenv("DROVER"), "-i", c.path(), "apply", "--auto-approve")
	labkit.Await(t, 10*time.Minute, "apply waits for f5-b only", func() error {
		select {
		case <-b.Ended:
			t.Fatalf("it did not wait: %s", b.Result())
		default:
		}
		for _, word := range []string{"kube-master-1/bgp:f5-b  waiting: ", "kube-node-1/bgp:f5-b  waiting: ", "f5-a/bgp:sessions  created"} {
			if !strings.Contains(b.Stderr.String(), word) {
				return fmt.Errorf("it has not said %q: %s", word, lastLine(b.Stderr.String()))
			}
		}
		return nil
	})
	lines := printedFor(b.Stdout.String(), "f5-b")
	if want := c.rendered(t, "f5-b"); lines != want {
		t.Errorf("apply prints\n%s\nbgp render\n%s", lines, want)
	}
	c.enter(t, "f5-b", lines)
	r := b.Result()
	if r.Code != 0 || !strings.Contains(r.Stdout, "its own side is unverified") {
		t.Fatal(r)
	}
	c.login(t)
	soon(c.routesHeld)(t)
}

// unverifiedAndInSync: once the sessions are up there is nothing to do, and it is
// still said that nobody looked at the other side.
func (c *cluster) unverifiedAndInSync(t *testing.T) {
	r := c.apply(t)
	if !strings.Contains(r.Stdout, "nothing to do") || !strings.Contains(r.Stdout, "f5-b is managed by hand") || strings.Contains(r.Stdout, "router bgp") {
		t.Error(r)
	}
	c.inSync(t)
}

// oneNeighborByHand: what is to be entered is the one line that is missing; nobody
// enters it until the deadline, and then somebody does.
func (c *cluster) oneNeighborByHand(t *testing.T) {
	const id = "kube-node-1/bgp:f5-b"
	member := "neighbor " + c.address("kube-node-1") + " peer-group " + c.Name
	c.enter(t, "f5-b", "enable\nconfigure terminal\nrouter bgp 64513\n no "+member+"\nend\nwrite\n")
	var p planned
	labkit.Await(t, time.Minute, "the node sees that its session is gone", func() error {
		if p = c.plan(t); len(p.pending()) == 0 {
			return fmt.Errorf("nothing is pending")
		}
		return nil
	})
	want := []string{"enable", "configure terminal", "router bgp 64513", " " + member, "end", "write"}
	if diff := cmp.Diff(map[string]string{id: "update"}, p.pending()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if len(p.ByHand) != 1 {
		t.Fatalf("by hand: %+v", p.ByHand)
	}
	if diff := cmp.Diff(want, p.ByHand[0].Enter); diff != "" {
		t.Errorf("to enter (-want +got):\n%s", diff)
	}

	patient := c.shape
	hasty := patient
	hasty.Manual = map[string]string{"f5-b": "10s"}
	c.set(t, hasty)
	r := c.drover(t, "apply", "--auto-approve")
	if r.Code != 1 || !strings.Contains(r.Stderr, id+"  FAILED: waited 10s") || !strings.Contains(r.Stderr, "`drover bgp render f5-b`") {
		t.Errorf("after the deadline: %s", r)
	}
	c.set(t, patient)
	c.enter(t, "f5-b", strings.Join(p.ByHand[0].Enter, "\n")+"\n")
	c.apply(t)
	c.inSync(t)
	soon(c.routesHeld)(t)
}

// printedFor is what apply prints to be entered on a BIG-IP, heading aside.
func printedFor(out, router string) string {
	_, block, _ := strings.Cut(out, "\nby hand on "+router+": ")
	_, block, _ = strings.Cut(block, "\n\n")
	lines, _, found := strings.Cut(block, "\nwrite\n")
	if !found {
		return ""
	}
	return lines + "\nwrite\n"
}

func (c *cluster) rendered(t *testing.T, router string) string {
	t.Helper()
	r := c.drover(t, "bgp", "render", router)
	if r.Code != 0 {
		t.Fatal(r)
	}
	return r.Stdout
}

// enter types lines into a router's imish, as an operator would paste them.
func (c *cluster) enter(t *testing.T, router, lines string) {
	t.Helper()
	r := c.RunIn(t, lines, "ssh", router, "imish -r 0")
	if r.Code != 0 || strings.Contains(r.Stdout, "%") {
		t.Fatalf("%s\nentered were\n%s", r, lines)
	}
}
