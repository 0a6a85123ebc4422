package hosttest

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// slowConn delays what the server says by a round trip's time and by what its
// bandwidth takes, and can stop answering altogether.
type slowConn struct {
	net.Conn
	delay time.Duration
	rate  int64 // bytes a second; 0 is no limit
	drop  int64 // ends after so many bytes; 0 is never
	queue chan parcel
	done  chan struct{}
	turns *atomic.Int64
	heard atomic.Bool // the client has spoken since it was last answered

	once   sync.Once
	mu     sync.Mutex
	frozen bool
	free   time.Time // when the line has carried what was said so far
}

type parcel struct {
	due  time.Time
	data []byte
}

func newSlowConn(c net.Conn, conf Config, turns *atomic.Int64) *slowConn {
	s := &slowConn{
		Conn: c, delay: conf.Latency, rate: conf.Bandwidth, drop: conf.DropAfter, frozen: conf.Dead,
		queue: make(chan parcel, 1024), done: make(chan struct{}), turns: turns,
	}
	turns.Add(1) // to be connected
	if s.queued() {
		go s.deliver()
	}
	return s
}

// queued is whether what is said waits in line before it goes out.
func (s *slowConn) queued() bool { return s.delay > 0 || s.rate > 0 }

func (s *slowConn) deliver() {
	for {
		select {
		case p := <-s.queue:
			time.Sleep(time.Until(p.due))
			if s.isFrozen() {
				continue
			}
			if _, err := s.say(p.data); err != nil {
				s.Close()
			}
		case <-s.done:
			return
		}
	}
}

// say puts bytes on the line.
func (s *slowConn) say(b []byte) (int, error) {
	if s.drop > 0 {
		s.mu.Lock()
		last := int64(len(b)) >= s.drop
		if last {
			b = b[:s.drop]
		} else {
			s.drop -= int64(len(b))
		}
		s.mu.Unlock()
		if last {
			s.Conn.Write(b)
			return 0, net.ErrClosed
		}
	}
	return s.Conn.Write(b)
}

func (s *slowConn) Write(b []byte) (int, error) {
	if s.heard.Swap(false) {
		s.turns.Add(1)
	}
	switch {
	case s.isFrozen():
		return len(b), nil
	case !s.queued():
		n, err := s.say(b)
		if err != nil {
			s.Close()
		}
		return n, err
	}
	select {
	case s.queue <- parcel{s.due(len(b)), append([]byte(nil), b...)}:
		return len(b), nil
	case <-s.done:
		return 0, net.ErrClosed
	}
}

// due is when the last of so many bytes arrives.
func (s *slowConn) due(size int) time.Time {
	now := time.Now()
	if s.rate > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.free.Before(now) {
			s.free = now
		}
		s.free = s.free.Add(time.Duration(int64(size) * int64(time.Second) / s.rate))
		now = s.free
	}
	return now.Add(s.delay)
}

func (s *slowConn) Read(b []byte) (int, error) {
	if s.isFrozen() {
		<-s.done
		return 0, net.ErrClosed
	}
	n, err := s.Conn.Read(b)
	if s.isFrozen() {
		<-s.done
		return 0, net.ErrClosed
	}
	if n > 0 {
		s.heard.Store(true)
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
