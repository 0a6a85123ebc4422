package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"

	"github.com/droverctl/drover/provision/host"
)

// inFlight is how many of a file's packets of 32 KiB are on their way at once:
// what OpenSSH's window of 2 MiB holds.
const inFlight = 64

// transfer is one file on its way over SFTP, in a session of its own: one that
// hangs spoils no other.
type transfer struct {
	leash
	moved atomic.Int64 // bytes of the session in both directions
	from  source       // read after run
}

// send writes a new file as the user. It fails when nothing moves for a while,
// however much has moved before: a slow link is not a broken one.
func (c *Conn) send(ctx context.Context, op, path string, content host.Content) (err error) {
	begin := time.Now()
	t := &transfer{from: source{Reader: io.NewSectionReader(content, 0, content.Size)}}
	if c.opts.Trace != nil {
		defer func() {
			c.opts.Trace(Trace{
				Host: c.hop.Name, Cmd: "sftp: put " + host.Quote(path), Start: begin, Took: time.Since(begin), Err: err, Sent: t.moved.Load(),
			})
		}()
	}
	done := make(chan error, 1)
	go func() { done <- t.run(c.link, path) }()
	tick := time.NewTicker(c.opts.StallTimeout / 4)
	defer tick.Stop()
	seen, at := int64(0), begin
	for {
		select {
		case err := <-done:
			return c.sent(t, op, err)
		case <-ctx.Done():
			t.abort()
			return c.unreachable(op, context.Cause(ctx))
		case now := <-tick.C:
			if moved := t.moved.Load(); moved != seen {
				seen, at = moved, now
			} else if now.Sub(at) >= c.opts.StallTimeout {
				t.abort()
				return c.unreachable(op, fmt.Errorf("nothing has moved for %s: %w", c.opts.StallTimeout, context.DeadlineExceeded))
			}
		}
	}
}

// sent tells who is to blame for how a transfer ended.
func (c *Conn) sent(t *transfer, op string, err error) error {
	var none noSFTP
	var status *sftp.StatusError
	switch {
	case err == nil:
		return nil
	case t.from.err != nil:
		return fmt.Errorf("%s: %s: reading what to send: %w", c.hop.Name, op, t.from.err)
	case c.link.why() != nil:
		return c.unreachable(op, c.link.why())
	case errors.As(err, &none):
		return &host.NoSFTPError{Host: c.hop.Name, Err: none.error}
	case errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure:
		// The protocol has no word for a full disk; it is what this mostly means.
		return fmt.Errorf("%s: %s: %w: is there room for it?", c.hop.Name, op, err)
	}
	return fmt.Errorf("%s: %s: %w", c.hop.Name, op, err)
}

// noSFTP is a session in which no SFTP is spoken.
type noSFTP struct{ error }

func (e noSFTP) Unwrap() error { return e.error }

func (t *transfer) run(l *link, path string) error {
	s, err := l.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	if !t.adopt(s) {
		return context.Canceled
	}
	in, err1 := s.StdinPipe()
	out, err2 := s.StdoutPipe()
	said, err3 := s.StderrPipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	go io.Copy(io.Discard, said) // unread, it would use the session's window up
	if err := s.RequestSubsystem("sftp"); err != nil {
		return noSFTP{err}
	}
	client, err := sftp.NewClientPipe(counted{out, nil, &t.moved}, counted{nil, in, &t.moved},
		sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(inFlight))
	if err != nil {
		return noSFTP{fmt.Errorf("what answers there speaks another language (does the user's shell print something when it starts?): %w", err)}
	}
	defer client.Close()
	f, err := client.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if _, err := f.ReadFromWithConcurrency(&t.from, inFlight); err != nil {
		return err
	}
	return f.Close()
}

// counted counts what passes. An answer to each packet comes back, so a session
// in which nothing is counted is one in which nothing arrives.
type counted struct {
	io.Reader
	io.WriteCloser
	n *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.WriteCloser.Write(b)
	c.n.Add(int64(n))
	return n, err
}
