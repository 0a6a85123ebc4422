package ssh

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// sudoLimit is how long sudo may think about a password (LDAP, a delay after a
// wrong one).
const sudoLimit = 30 * time.Second

// process is a command under way.
type process struct {
	invocation
	password string
	stdin    io.Reader
	out, err fence
	started  chan struct{} // root has printed the marker
	refused  chan struct{} // sudo asks a second time
	ended    chan struct{}
	sendErr  error           // of reading stdin; read after run
	hold     <-chan struct{} // when not nil, stdin ends only after it was closed
	moved    *traffic
	leash
}

// traffic counts a command's bytes while others may already look: a command that
// was given up may still be at it.
type traffic struct{ sent, received atomic.Int64 }

// leash is how somebody else ends a session.
type leash struct {
	mu      sync.Mutex
	session *ssh.Session
	aborted bool
}

func newProcess(v invocation, password string, stdin io.Reader) *process {
	p := &process{invocation: v, password: password, stdin: stdin,
		started: make(chan struct{}), refused: make(chan struct{}), ended: make(chan struct{})}
	p.out = fence{marker: v.marker + "\n", opened: func() { close(p.started) }}
	p.err = fence{marker: v.marker + "\n", opened: func() {}, prompt: v.prompt, refused: func() { close(p.refused) }}
	return p
}

// run returns what the session's end was. The fences are complete after it.
func (p *process) run(l *link) error {
	s, err := l.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	if !p.adopt(s) {
		return context.Canceled
	}
	s.Stdout, s.Stderr = &p.out, &p.err
	in, err := s.StdinPipe()
	if err != nil {
		return err
	}
	if err := s.Start(p.line); err != nil {
		return err
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		p.feed(s, in)
	}()
	err = s.Wait()
	close(p.ended)
	<-fed
	return err
}

// adopt makes the session known to abort, unless that was faster.
func (l *leash) adopt(s *ssh.Session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = s
	return !l.aborted
}

// abort closes the session from another goroutine without waiting: the
// connection may be the very thing that does not answer.
func (l *leash) abort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.aborted = true
	if s := l.session; s != nil {
		go s.Close()
	}
}

// feed writes the command's stdin, after the password and the proof that it has
// been taken.
func (p *process) feed(s *ssh.Session, in io.WriteCloser) {
	defer in.Close()
	if p.prompt != "" {
		if _, err := io.WriteString(in, p.password+"\n"); err != nil {
			return
		}
		slow := time.NewTimer(sudoLimit)
		defer slow.Stop()
		select {
		case <-p.started:
		case <-p.refused: // closing stdin ends sudo's patience
			return
		case <-slow.C:
			return
		case <-p.ended:
			return
		}
		if _, err := io.WriteString(in, p.marker+"\n"); err != nil {
			return
		}
	}
	if p.hold != nil {
		select {
		case <-p.hold:
		case <-p.ended:
		}
	}
	if p.stdin == nil {
		return
	}
	from := &source{Reader: p.stdin, n: &p.moved.sent}
	if _, err := io.CopyBuffer(in, from, room(p.stdin)); err != nil && from.err != nil {
		// The command may take the end for the whole; its outcome is not ours to tell.
		p.sendErr = from.err
		s.Close()
	}
}

// source remembers a reader's own error, to tell it from the writer's.
type source struct {
	io.Reader
	err error
	n   *atomic.Int64 // when not nil, what was read
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if s.n != nil {
		s.n.Add(int64(n))
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
