package hosttest

import (
	"net"
	"sync"
	"time"
)

// slowConn delays what the server says by a round trip's time, without limiting
// how much is under way, and can stop answering altogether.
type slowConn struct {
	net.Conn
	delay time.Duration
	queue chan parcel
	done  chan struct{}

	once   sync.Once
	mu     sync.Mutex
	frozen bool
}

type parcel struct {
	due  time.Time
	data []byte
}

func newSlowConn(c net.Conn, delay time.Duration) *slowConn {
	s := &slowConn{Conn: c, delay: delay, queue: make(chan parcel, 1024), done: make(chan struct{})}
	go s.deliver()
	return s
}

func (s *slowConn) deliver() {
	for {
		select {
		case p := <-s.queue:
			time.Sleep(time.Until(p.due))
			if s.isFrozen() {
				continue
			}
			if _, err := s.Conn.Write(p.data); err != nil {
				s.Close()
			}
		case <-s.done:
			return
		}
	}
}

func (s *slowConn) Write(b []byte) (int, error) {
	if s.delay == 0 && !s.isFrozen() {
		return s.Conn.Write(b)
	}
	select {
	case s.queue <- parcel{time.Now().Add(s.delay), append([]byte(nil), b...)}:
		return len(b), nil
	case <-s.done:
		return 0, net.ErrClosed
	}
}

func (s *slowConn) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if s.isFrozen() {
		<-s.done
		return 0, net.ErrClosed
	}
	return n, err
}

func (s *slowConn) close() { s.Close() }

func (s *slowConn) Close() error {
	s.once.Do(func() { close(s.done) })
	return s.Conn.Close()
}

// freeze is a machine that has lost its power: no answer, no reset either.
func (s *slowConn) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = true
}

func (s *slowConn) isFrozen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frozen
}
