package provision

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// Whoever is silent is waited for as long as somebody else is heard, or is a master,
// or has something done here first; and then no longer.
func TestSilentNodesHoldNobodyUp(t *testing.T) {
	s := &Session{Cluster: &inventory.Cluster{KubeMasters: []inventory.Host{{Name: "m"}}}}
	later := func(d time.Duration) time.Time { return time.Now().Add(d) }
	w := s.await()
	defer w.end()
	ctx, off := w.on(t.Context(), "off")
	off.heard(ssh.Calling)
	_, master := w.on(t.Context(), "m")
	master.heard(ssh.Calling)
	_, asking := w.on(t.Context(), "asking")
	_, hanging := w.on(t.Context(), "hanging")
	hanging.heard(ssh.Talking)
	_, idle := w.on(t.Context(), "idle")
	idle.heard(ssh.Talking)
	idle.connected()

	w.giveUp(later(time.Hour))
	if ctx.Err() != nil {
		t.Error("given up while a master is waited for")
	}
	master.done()
	w.giveUp(later(time.Hour))
	if ctx.Err() != nil {
		t.Error("given up while somebody is asked for a passphrase")
	}
	asking.done()
	w.giveUp(later(time.Hour))
	if ctx.Err() != nil {
		t.Error("given up while a host waits for what it will be asked")
	}
	idle.done()
	w.giveUp(later(6 * time.Second))
	if ctx.Err() != nil {
		t.Error("given up while another may still speak")
	}
	w.giveUp(later(11 * time.Second))
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("still waited for: %v", err)
	}
}
