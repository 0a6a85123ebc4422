package provision

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/droverctl/drover/provision/internal/ssh"
)

// patience is how long a kube-node may be silent while nobody else is heard either:
// a machine that is off takes no connection, one that hangs takes it and says nothing,
// and one that is looked at may have to think. Each of them would hold up all others,
// since what is done is planned when all have been looked at. Without others to hold
// up, ssh's own limits count.
func patience(p ssh.Phase, reached bool) time.Duration {
	switch {
	case reached:
		return 20 * time.Second
	case p == ssh.Talking:
		return 10 * time.Second
	}
	return 5 * time.Second
}

// waiting are the hosts that are waited for.
type waiting struct {
	essential map[string]bool // that nothing is done without: they are waited for to the end
	quit      chan struct{}
	ended     chan struct{}

	mu    sync.Mutex
	hosts map[*awaited]bool
}

// awaited is a host that is waited for.
type awaited struct {
	all       *waiting
	essential bool
	cancel    context.CancelCauseFunc

	mu    sync.Mutex
	phase ssh.Phase
	since time.Time // that it was last heard
	conn  *ssh.Conn // once it was asked something
	ours  bool      // it is connected to, and waits for us
}

// await begins to see to it that nobody who is away holds the others up.
func (s *Session) await() *waiting {
	w := &waiting{essential: map[string]bool{}, quit: make(chan struct{}), ended: make(chan struct{}), hosts: map[*awaited]bool{}}
	for _, m := range s.Cluster.KubeMasters {
		w.essential[m.Name] = true
	}
	for _, b := range s.Cluster.BigIPs {
		w.essential[b.Name] = true
	}
	go func() {
		defer close(w.ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.quit:
				return
			case now := <-tick.C:
				w.giveUp(now)
			}
		}
	}()
	return w
}

func (w *waiting) end() {
	close(w.quit)
	<-w.ended
}

// on begins to wait for a host, within the context that is returned.
func (w *waiting) on(ctx context.Context, name string) (context.Context, *awaited) {
	ctx, cancel := context.WithCancelCause(ctx)
	one := &awaited{all: w, essential: w.essential[name], cancel: cancel, since: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[one] = true
	return ctx, one
}

func (a *awaited) done() {
	a.all.mu.Lock()
	delete(a.all.hosts, a)
	a.all.mu.Unlock()
	a.cancel(nil)
}

// heard notes that the host said something, or what is waited for now.
func (a *awaited) heard(p ssh.Phase) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.phase, a.since = p, time.Now()
}

// connected notes that it is now the host that waits: for what it will be asked.
func (a *awaited) connected() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ours = true
}

// asked notes that the host, which is connected to, is asked something now.
func (a *awaited) asked(conn *ssh.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conn, a.ours, a.since = conn, false, time.Now()
}

// away is the error with which a host is given up that has been silent for too long;
// nil for one that is still waited for.
func (a *awaited) away(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	limit := patience(a.phase, a.conn != nil)
	if a.essential || a.ours || a.phase == ssh.Preparing || now.Sub(a.since) < limit {
		return nil
	}
	return fmt.Errorf("not a word within %s, when all others had been looked at: %w", limit, context.DeadlineExceeded)
}

// giveUp ends the wait for those who are silent, unless somebody is waited for who is
// not.
func (w *waiting) giveUp(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	why := map[*awaited]error{}
	for one := range w.hosts {
		if why[one] = one.away(now); why[one] == nil {
			return
		}
	}
	for one, err := range why {
		one.giveUp(err)
	}
}

func (a *awaited) giveUp(why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn != nil { // else what runs there would be stopped first, with a command of its own
		a.conn.GiveUp(why)
	}
	a.cancel(why)
}
