package fleetbench

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/provision/fleettest"
	"github.com/droverctl/drover/provision/host/hosttest"
)

// straggle makes a cluster, with stragglers one host that is slow and one that dies
// at its first write, and tells how long the others took, from the first change to
// the last of their own. By then the slow one is still at it, and nobody has given up
// on the dead one.
func straggle(tb testing.TB, nodes int, stragglers bool) time.Duration {
	tb.Helper()
	var slow, dead string
	if stragglers {
		slow, dead = fmt.Sprintf("kube-node-%d", nodes-1), fmt.Sprintf("kube-node-%d", nodes)
	}
	f := fleettest.New(tb, drover, fleettest.Config{Masters: 1, Nodes: nodes, Latency: latency, Host: func(name string, c *hosttest.Config) {
		if name == slow {
			c.Latency = 500 * time.Millisecond
		}
	}})
	if h := f.Host(dead); h != nil {
		h.Machine.Precede("drover-write-files", func(*hosttest.State, hosttest.Call) { h.Server.Freeze() })
	}
	c := f.Command(drover, "apply", "--auto-approve")
	out, err := c.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	// It would go on until it has given up on the dead one.
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	limit := time.AfterFunc(40*time.Second+time.Duration(nodes)*500*time.Millisecond, func() { _ = c.Process.Kill() })
	defer limit.Stop()

	last := []string{"unit:kube-proxy.service", "membership:fleet"} // of each host's chain
	waited := map[string]bool{}
	for _, h := range f.Hosts[1:] {
		for _, what := range last {
			waited[h.Name+"/"+what] = h.Name != slow && h.Name != dead
		}
	}
	var began time.Time
	for lines := bufio.NewScanner(out); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		if began.IsZero() {
			began = time.Now()
		}
		id := words[1]
		switch theirs, known := waited[id]; {
		case stragglers && strings.HasPrefix(id, dead+"/") && strings.Contains(lines.Text(), "FAILED"):
			tb.Errorf("it gave up on %s first: %s", dead, lines.Text())
		case known && !theirs:
			tb.Errorf("%s was done before %s", id, slices.Sorted(maps.Keys(waited)))
		}
		delete(waited, id)
		if !slices.Contains(slices.Collect(maps.Values(waited)), true) {
			return time.Since(began)
		}
	}
	tb.Fatalf("never done: %s", slices.Sorted(maps.Keys(waited)))
	return 0
}

// One slow and one dead host delay no other host's chain; with DROVER_SOAK, of a
// thousand.
func TestStragglersDelayNobody(t *testing.T) {
	nodes := 8
	if os.Getenv("DROVER_SOAK") != "" {
		nodes = 999
	}
	t.Logf("the others took %s", straggle(t, nodes, true))
}

// A host that takes connections and says nothing from the beginning is given up when
// all others have been looked at; a slow one is not, and what was given up is told.
func TestASilentNodeHoldsNobodyUp(t *testing.T) {
	const silent, slow = "kube-node-2", "kube-node-3"
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 3, Host: func(name string, c *hosttest.Config) {
		c.Dead = name == silent
		if name == slow {
			c.Latency = 300 * time.Millisecond
		}
	}})
	plan := must(t, measured(t, f.Command(drover, "plan"), ""), 69)
	if !strings.Contains(plan.Out, silent+" is left out: ") || !strings.Contains(plan.Out, "when all others had been looked at") {
		t.Error(plan.Out)
	}
	if strings.Contains(plan.Out, slow+" is left out") || len(f.Host(slow).Machine.Ops()) != 1 {
		t.Errorf("the slow one was not looked at:\n%s", plan.Out)
	}
}

// BenchmarkStragglers is how long the others of a fleet take, beside how long they
// take when there are no stragglers.
func BenchmarkStragglers(b *testing.B) {
	for range b.N {
		without, with := straggle(b, size(1000)-1, false), straggle(b, size(1000)-1, true)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(with.Seconds(), "s-others")
		figure(b, with.Seconds()/without.Seconds(), "x-without", 1.3)
	}
}
