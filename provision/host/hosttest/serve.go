package hosttest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Config is how a machine is served. The zero value lets root in with the key
// that Serve makes.
type Config struct {
	User     string          // who may log in; "root" when empty
	Keys     []ssh.PublicKey // with which keys; the one in Server.KeyFile when nil
	HostKeys []ssh.Signer    // plain or certified; a new ed25519 key when nil
	Sudo     Sudo            // for users other than root
	Latency  time.Duration   // of a round trip
	Banner   string          // that the login shell prints before every command
	// NoForwarding is AllowTcpForwarding no.
	NoForwarding bool
	// NoSFTP is an sshd_config without a Subsystem sftp.
	NoSFTP bool
	// Bandwidth of what the machine says, in bytes a second; 0 is no limit.
	Bandwidth int64
	// DropAfter cuts each connection when the machine has said so many bytes;
	// 0 is never.
	DropAfter int64
	// Dead is a machine whose kernel takes connections and on which nothing
	// answers any more.
	Dead bool
	// Tunnel connects to an address as from the machine; a real connection when nil.
	// Its error is what sshd says.
	Tunnel func(ctx context.Context, addr string) (net.Conn, error)
}

// Sudo is how sudo behaves.
type Sudo struct {
	Password string // "" is NOPASSWD
	Cached   bool   // it was given the password a moment ago, and does not ask
	Denied   bool
}

// Server is a machine behind SSH on the loopback.
type Server struct {
	Address    string
	Port       int
	KnownHosts string // a file that knows the server's keys
	KeyFile    string // a private key that is let in, when Config has none

	tb   testing.TB
	host *Host
	conf Config

	mu    sync.Mutex
	conns map[*slowConn]bool
	count int
	busy  int            // connections and sessions that are being served
	idle  *sync.Cond     // told when one of them ends
	begun map[string]int // marker of a command → its number
	tries []string
	pace  time.Duration
	// vanished is a machine that is not there.
	vanished bool
	refuses  int // connections that are yet to be refused
	turns    atomic.Int64
}

// Serve puts a machine behind a real SSH server until the test ends.
func Serve(tb testing.TB, h *Host, conf Config) *Server {
	tb.Helper()
	s := &Server{tb: tb, host: h, conf: conf, conns: map[*slowConn]bool{}, begun: map[string]int{}}
	s.idle = sync.NewCond(&s.mu)
	if err := s.prepare(); err != nil {
		tb.Fatalf("hosttest: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("hosttest: %v", err)
	}
	addr := l.Addr().(*net.TCPAddr)
	s.Address, s.Port = "127.0.0.1", addr.Port
	s.KnownHosts = filepath.Join(tb.TempDir(), "known_hosts")
	if err := s.Know(s.KnownHosts); err != nil {
		tb.Fatalf("hosttest: %v", err)
	}
	var running sync.WaitGroup
	running.Go(func() { s.accept(l) })
	tb.Cleanup(func() {
		l.Close()
		running.Wait()
		s.Settle()
	})
	return s
}

// prepare makes the keys that the configuration leaves out.
func (s *Server) prepare() error {
	if s.conf.User == "" {
		s.conf.User = "root"
	}
	if s.conf.HostKeys == nil {
		key, _, err := newKey()
		if err != nil {
			return err
		}
		s.conf.HostKeys = []ssh.Signer{key}
	}
	if s.conf.Keys != nil {
		return nil
	}
	key, text, err := newKey()
	if err != nil {
		return err
	}
	s.conf.Keys = []ssh.PublicKey{key.PublicKey()}
	s.KeyFile = filepath.Join(s.tb.TempDir(), "id_ed25519")
	return os.WriteFile(s.KeyFile, text, 0o600)
}

func newKey() (ssh.Signer, []byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, pem.EncodeToMemory(block), err
}

// Know appends the server's plain host keys to a known_hosts file.
func (s *Server) Know(file string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for _, k := range s.conf.HostKeys {
		if _, certified := k.PublicKey().(*ssh.Certificate); !certified {
			fmt.Fprintln(f, knownhosts.Line([]string{net.JoinHostPort(s.Address, strconv.Itoa(s.Port))}, k.PublicKey()))
		}
	}
	return f.Close()
}

// Passwords are the lines that sudo has read as passwords: nothing else may be
// among them.
func (s *Server) Passwords() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tries)
}

func (s *Server) heard(password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries = append(s.tries, password)
}

// Connections is how many were made so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Open is how many connections there are now.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// RoundTrips is how often a client has waited for the machine so far, over all
// its connections: once to be connected, and then for each of the machine's answers
// to what it had said.
func (s *Server) RoundTrips() int64 { return s.turns.Load() }

// CutAll breaks all connections.
func (s *Server) CutAll() { s.each((*slowConn).close) }

// Settle breaks all connections and waits until nothing that came over them is at
// work any more.
func (s *Server) Settle() {
	s.CutAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.busy > 0 {
		s.idle.Wait()
	}
}

// work does something that Settle waits for.
func (s *Server) work(do func()) {
	s.mu.Lock()
	s.busy++
	s.mu.Unlock()
	go func() {
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.busy--
			s.idle.Broadcast()
		}()
		do()
	}()
}

// Slow makes every write over SFTP, from now on, take this long, one at a time.
func (s *Server) Slow(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace = d
}

// pause is how long a write takes.
func (s *Server) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pace
}

// Freeze makes the machine silent on all connections.
func (s *Server) Freeze() { s.each((*slowConn).freeze) }

func (s *Server) began(marker string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun[marker] = n
}

// stop notes that the client ended a command it had given up.
func (s *Server) stop(marker string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.begun[marker]; n > 0 {
		s.host.stopped(n)
	}
}

func (s *Server) each(f func(*slowConn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
}

func (s *Server) accept(l net.Listener) {
	for {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		c := newSlowConn(raw, s.conf, &s.turns)
		s.mu.Lock()
		if s.vanished || s.refuses > 0 {
			s.refuses = max(s.refuses-1, 0)
			s.mu.Unlock()
			raw.Close()
			continue
		}
		s.conns[c] = true
		s.count++
		s.mu.Unlock()
		s.work(func() {
			s.serve(c)
			c.close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// Refuse takes no connection so often; then it is as before.
func (s *Server) Refuse(times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = times
}

// Vanish ends all connections and takes no more, or takes them again.
func (s *Server) Vanish(yes bool) {
	s.mu.Lock()
	s.vanished = yes
	s.mu.Unlock()
	if yes {
		s.CutAll()
	}
}

func (s *Server) serve(c *slowConn) {
	conf := &ssh.ServerConfig{PublicKeyCallback: func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		same := func(k ssh.PublicKey) bool { return string(k.Marshal()) == string(key.Marshal()) }
		if m.User() != s.conf.User || !slices.ContainsFunc(s.conf.Keys, same) {
			return nil, errors.New("not let in")
		}
		return nil, nil
	}}
	for _, k := range s.conf.HostKeys {
		conf.AddHostKey(k)
	}
	conn, chans, reqs, err := ssh.NewServerConn(c, conf)
	if err != nil {
		return // a client that does not trust us or is not let in
	}
	go ssh.DiscardRequests(reqs)
	for n := range chans {
		switch n.ChannelType() {
		case "session":
			s.work(func() { s.session(c, n) })
		case "direct-tcpip":
			s.work(func() { s.forward(n) })
		default:
			n.Reject(ssh.UnknownChannelType, "hosttest: "+n.ChannelType())
		}
	}
	conn.Close()
}
