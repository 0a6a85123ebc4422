package labtest

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// Ten at once: one works, the others say who. One that is paused while it works
// loses the lock with its lease, and changes nothing when it wakes.
func TestLock(t *testing.T) {
	c := shared(t)
	const node = "kube-node-1"
	spoil := func() {
		c.root(t, node, "rm -f /etc/sysctl.d/99-zz-drover.conf /opt/drover/kube-proxy/*/record.drover")
	}
	spoil()
	runs := make([]*labkit.Background, 10)
	for i := range runs {
		runs[i] = labkit.Start(t, os.Getenv("DROVER"), "-i", c.path(), "apply", "--auto-approve")
	}
	done := 0
	for _, b := range runs {
		switch r := b.Result(); {
		case r.Code == 0:
			done++
		case r.Code != 75 || !strings.Contains(r.Stderr, `runs "drover apply"`) || !strings.Contains(r.Stderr, "its lease ends in "):
			t.Errorf("beside others: %s", r)
		}
	}
	if done == 0 {
		t.Error("none of ten did it")
	}
	t.Logf("of ten at once %d did it or found it done", done)
	c.inSync(t)

	spoil()
	// In the middle of what takes a second at least, and has another change behind it.
	long := event{"started", node + "/artifact:kube-proxy"}
	var r labkit.Result
	var before traces
	at, late := c.applyUntil(t, func(e event) bool { return e == long }, func(p *os.Process) {
		err := p.Signal(syscall.SIGSTOP)
		r = c.drover(t, "apply", "--auto-approve", "--lock-wait=2m")
		before = c.allTraces(t)
		if err := errors.Join(err, p.Signal(syscall.SIGCONT)); err != nil {
			t.Error(err)
		}
	}, "--lock-lease=5s")
	if at != long || r.Code != 0 || late.Code != 75 || !strings.Contains(late.Stderr, "the fleet's lock was lost") {
		t.Errorf("paused at %q; the one after it: %s\nthe paused one: %s", at, r, late)
	}
	expectMoved(t, before, c.allTraces(t), touched{})
	c.inSync(t)
	if r := c.drover(t, "history"); r.Code != 0 || !strings.Contains(r.Stdout, "done in ") {
		t.Errorf("history: %s", r)
	}
}
