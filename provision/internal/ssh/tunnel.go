package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/ssh"
)

// DialContext connects to an address as the host sees it, through the
// connection: a net.Conn for HTTP and gRPC clients.
func (c *Conn) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	far, err := c.link.DialContext(ctx, network, addr)
	op := fmt.Sprintf("opening a tunnel to %s", addr)
	var refused *ssh.OpenChannelError
	switch {
	case err == nil:
		return newTunnel(far, addr), nil
	case errors.As(err, &refused):
		return nil, c.unreachable(op, &TunnelError{Forbidden: refused.Reason == ssh.Prohibited, Said: refused.Message})
	case c.link.why() != nil:
		return nil, c.unreachable(op, c.link.why())
	case ctx.Err() != nil:
		return nil, c.unreachable(op, context.Cause(ctx))
	}
	return nil, c.unreachable(op, err)
}

// TunnelError is a tunnel that a host did not open: because its sshd may not, or
// because the host itself could not connect.
type TunnelError struct {
	Forbidden bool
	Said      string // by sshd
}

func (e *TunnelError) Error() string {
	if e.Forbidden {
		return "sshd forbids forwarding (AllowTcpForwarding): " + e.Said
	}
	return "the host could not connect: " + e.Said
}

// tunnel is one end of a pipe whose other end is copied to and from the far
// side. The pipe is what gives it deadlines, which SSH channels do not have and
// clients rely on.
type tunnel struct {
	net.Conn
	addr tunnelAddr
}

func newTunnel(far net.Conn, addr string) net.Conn {
	near, inner := net.Pipe()
	go func() {
		io.Copy(far, inner)
		far.Close()
	}()
	go func() {
		io.Copy(inner, far)
		inner.Close()
	}()
	return &tunnel{Conn: near, addr: tunnelAddr(addr)}
}

func (t *tunnel) LocalAddr() net.Addr  { return tunnelAddr("ssh") }
func (t *tunnel) RemoteAddr() net.Addr { return t.addr }

type tunnelAddr string

func (tunnelAddr) Network() string  { return "tcp" }
func (a tunnelAddr) String() string { return string(a) }
