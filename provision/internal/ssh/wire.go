package ssh

import (
	"net"
	"sync/atomic"
)

// Stats are what a connection has cost.
type Stats struct {
	Sent, Received int64 // bytes on the wire, encrypted
	Execs          int64
}

// wire counts what goes over a connection and remembers that it broke, which it
// knows before the sessions above it are told that they ended.
type wire struct {
	net.Conn
	sent, received atomic.Int64
	broken         atomic.Bool
	heard          func() // with every read; may be nil
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.received.Add(int64(n))
	if n > 0 && w.heard != nil {
		w.heard()
	}
	if err != nil {
		w.broken.Store(true)
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.sent.Add(int64(n))
	if err != nil {
		w.broken.Store(true)
	}
	return n, err
}
