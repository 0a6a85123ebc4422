package ssh

import (
	"net"
	"testing"
)

// That a connection broke is known from the first failing read on, before any
// session is told of its end: an exit code that came before the break must not
// make an output that was cut look whole.
func TestBreakIsKnownAtOnce(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	l := &link{wire: &wire{Conn: near}}
	go func() {
		far.Write([]byte("abc"))
		far.Close()
	}()
	b := make([]byte, 8)
	if n, err := l.wire.Read(b); n != 3 || err != nil || l.why() != nil {
		t.Fatalf("%d %v %v", n, err, l.why())
	}
	if _, err := l.wire.Read(b); err == nil || l.why() == nil {
		t.Errorf("%v %v", err, l.why())
	}
	if got := l.wire.received.Load(); got != 3 {
		t.Errorf("received %d", got)
	}
}
