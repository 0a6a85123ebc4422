package labtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

// way is one kind of traffic from one party to another.
type way struct{ from, to, how string }

func (w way) String() string { return w.from + " -> " + w.to + " " + w.how }

// party is who can be at an end of a way.
type party struct {
	name    string
	ns      string // its network namespace, "" for this machine's own
	address netip.Addr
	port    int // what it listens on; 0: nothing
}

// parties are all that have an address on the lab's networks. What they reach is
// tried out from within their network namespaces, so that a machine that is cut
// from all can be asked, too.
func (l lab) parties(t *testing.T) []party {
	t.Helper()
	s := l.status(t)
	listener, err := net.Listen("tcp", s.Admin+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	all := []party{
		{name: "admin", address: netip.MustParseAddr(s.Admin), port: listener.Addr().(*net.TCPAddr).Port},
		{name: "gateway", ns: l.Namespace("fabric"), address: netip.MustParseAddr(s.Gateway)},
		{name: "mirror", ns: l.Namespace("mirror"), address: netip.MustParseAddr(strings.TrimPrefix(s.MirrorURL, "http://")), port: 80},
	}
	for _, m := range s.Machines {
		all = append(all, party{name: m.Name, ns: l.Namespace(m.Name), address: netip.MustParseAddr(m.Address), port: 22})
	}
	return all
}

// probeLimit bounds one probe: long enough for two cores that are busy.
const probeLimit = 1500 * time.Millisecond

// reached are the ways that work now, of all there are.
func reached(t *testing.T, all []party) map[way]bool {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	open := map[way]bool{}
	for i, from := range all {
		for j, to := range all {
			// This machine has no route to the clients' networks: what it sends
			// there goes out into the world.
			if i == j || from.name == "admin" && strings.HasSuffix(to.name, "-client") {
				continue
			}
			wg.Go(func() {
				err := within(from.ns, func() error { return ping(to.address, uint16(i<<8|j)) })
				note(t, &mu, open, way{from.name, to.name, "icmp"}, err)
			})
			wg.Go(func() {
				note(t, &mu, open, way{from.name, to.name, "one way"}, send(from, to))
			})
			if to.port == 0 {
				continue
			}
			wg.Go(func() {
				err := within(from.ns, func() error { return dial(to.address, to.port) })
				note(t, &mu, open, way{from.name, to.name, "tcp"}, err)
			})
		}
	}
	wg.Wait()
	return open
}

func note(t *testing.T, mu *sync.Mutex, open map[way]bool, w way, err error) {
	mu.Lock()
	defer mu.Unlock()
	open[w] = err == nil
	if errors.Is(err, errProbe) {
		t.Errorf("%s: %v", w, err)
	}
}

// errProbe says that a probe itself failed: it found out nothing.
var errProbe = errors.New("cannot probe")

// within runs f as a program of a party would; this machine has no namespace.
func within(namespace string, f func() error) error {
	if namespace == "" {
		return f()
	}
	err := labkit.Within(namespace, f)
	if errors.Is(err, labkit.ErrNamespace) {
		err = fmt.Errorf("%w: %w", errProbe, err)
	}
	return err
}

func dial(to netip.Addr, port int) error {
	conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(to, uint16(port)).String(), probeLimit)
	if err == nil {
		conn.Close()
	}
	return err
}

// send sends datagrams that nobody answers: only they tell whether each direction
// of a cut is closed, as a ping fails when either is.
func send(from, to party) error {
	var in *net.UDPConn
	err := within(to.ns, func() (err error) {
		in, err = net.ListenUDP("udp4", &net.UDPAddr{IP: to.address.AsSlice()})
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errProbe, err)
	}
	defer in.Close()
	err = within(from.ns, func() error {
		out, err := net.DialUDP("udp4", nil, in.LocalAddr().(*net.UDPAddr))
		if err != nil {
			return err // no route
		}
		defer out.Close()
		_, err = out.Write([]byte("hello"))
		return err
	})
	if err != nil {
		return err
	}
	if err := in.SetReadDeadline(time.Now().Add(probeLimit)); err != nil {
		return fmt.Errorf("%w: %w", errProbe, err)
	}
	_, err = in.Read(make([]byte, 16))
	return err
}

// ping sends one echo request and waits for its answer.
func ping(to netip.Addr, id uint16) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return fmt.Errorf("%w: %w", errProbe, err)
	}
	defer unix.Close(fd)
	request := []byte{8, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}
	binary.BigEndian.PutUint16(request[2:], checksum(request))
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrInet4{Addr: to.As4()}); err != nil {
		return err // no route
	}
	deadline := time.Now().Add(probeLimit)
	for answer := make([]byte, 1500); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		wait := unix.NsecToTimeval(left.Nanoseconds())
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
			return fmt.Errorf("%w: %w", errProbe, err)
		}
		n, _, err := unix.Recvfrom(fd, answer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		// A raw socket sees all of the host's; ours is an echo reply from there
		// with our id, behind an IP header of 20 bytes.
		if n >= 28 && netip.AddrFrom4([4]byte(answer[12:16])) == to && answer[20] == 0 && binary.BigEndian.Uint16(answer[24:]) == id {
			return nil
		}
	}
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// expect demands that exactly the ways that were open and are not cut are open.
// What must be closed is so at once; what must be open may take a moment (an
// address that was not answered for is asked for again once a second).
func expect(t *testing.T, all []party, before map[way]bool, isCut func(way) bool) {
	t.Helper()
	labkit.Await(t, 15*time.Second, "the ways that are left", func() error {
		var shut []string
		for w, open := range reached(t, all) {
			switch want := before[w] && !isCut(w); {
			case open && !want:
				t.Errorf("%s works, and should not", w)
			case want && !open:
				shut = append(shut, w.String())
			}
		}
		slices.Sort(shut)
		if len(shut) > 0 {
			return fmt.Errorf("%d do not work: %s", len(shut), strings.Join(shut, ", "))
		}
		return nil
	})
}
