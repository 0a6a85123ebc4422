package ssh

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// link is an authenticated connection that knows why it ended.
type link struct {
	*ssh.Client
	wire *wire
	done chan struct{} // closed when it has ended

	mu    sync.Mutex
	cause error
}

func newLink(c *ssh.Client, w *wire, o Options) *link {
	l := &link{Client: c, wire: w, done: make(chan struct{})}
	go func() {
		err := c.Wait()
		l.fail(fmt.Errorf("the connection was cut: %w", err))
		close(l.done)
	}()
	go l.keepAlive(o.KeepAliveInterval, o.KeepAliveCount)
	return l
}

// fail ends the connection; the first reason is the one that counts.
func (l *link) fail(why error) {
	l.mu.Lock()
	if l.cause == nil {
		l.cause = why
	}
	l.mu.Unlock()
	l.wire.broken.Store(true)
	l.wire.Close()
}

// why is the reason of an end, nil while the connection lives.
func (l *link) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil && l.wire.broken.Load() {
		return errors.New("the connection was cut")
	}
	return l.cause
}

// keepAlive ends a connection whose peer says nothing at all to `count` requests
// in a row. Anything received is a sign of life: a reply may wait behind a
// command's output.
func (l *link) keepAlive(every time.Duration, count int) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var waiting atomic.Bool
	seen, silent := l.wire.received.Load(), 0
	for {
		select {
		case <-l.done:
			return
		case <-tick.C:
		}
		now := l.wire.received.Load()
		switch {
		case now != seen:
			seen, silent = now, 0
		case waiting.Load():
			silent++
		}
		if silent >= count {
			l.fail(fmt.Errorf("the host was silent for %s (%d keepalives)", every*time.Duration(silent), silent))
			return
		}
		if !waiting.Swap(true) {
			go func() { // ends with the connection, if not before
				l.SendRequest("keepalive@openssh.com", true, nil)
				waiting.Store(false)
			}()
		}
	}
}
