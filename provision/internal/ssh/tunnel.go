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
	case errors.As(err, &refused) && refused.Reason == ssh.Prohibited:
		return nil, c.unreachable(op, fmt.Errorf("sshd forbids forwarding (AllowTcpForwarding): %w", err))
	case errors.As(err, &refused):
		return nil, c.unreachable(op, err)
	case c.link.why() != nil:
		return nil, c.unreachable(op, c.link.why())
	case ctx.Err() != nil:
		return nil, c.unreachable(op, context.Cause(ctx))
	}
	return nil, c.unreachable(op, err)
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
