package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host"
)

// keyExchanges begins with curve25519: x/crypto's own first choice costs a third
// more on every connection.
var keyExchanges = []string{
	ssh.KeyExchangeCurve25519, ssh.KeyExchangeMLKEM768X25519,
	ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384, ssh.KeyExchangeECDHP521,
	ssh.KeyExchangeDH16SHA512, ssh.KeyExchangeDH14SHA256,
}

// dialer opens the transport to a hop: from here, or through a jump host.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// connect opens, verifies and authenticates one hop.
func connect(ctx context.Context, h *hop, o Options, dial dialer) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.DialTimeout, fmt.Errorf("no answer within %s: %w", o.DialTimeout, context.DeadlineExceeded))
	defer cancel()
	known, err := trustOf(h)
	if err != nil {
		return nil, err
	}
	ids, err := findIdentities(ctx, h, o)
	if err != nil {
		return nil, err
	}
	defer ids.close()
	a := &attempt{hop: h, known: known, ids: ids, algorithms: known.algorithms()}
	client, w, err := a.run(ctx, dial)
	var disagree *ssh.AlgorithmNegotiationError
	if errors.As(err, &disagree) && a.algorithms != nil && noCommonHostKey(disagree) {
		// The host has no key of the kinds known for it: ask for any, so that the
		// refusal can name it.
		a.algorithms = nil
		client, w, err = a.run(ctx, dial)
	}
	if err != nil {
		return nil, a.explain(ctx, err)
	}
	return newLink(client, w, o), nil
}

func noCommonHostKey(e *ssh.AlgorithmNegotiationError) bool {
	return slices.ContainsFunc(e.RequestedAlgorithms, func(a string) bool {
		return strings.HasPrefix(a, "ssh-") || strings.HasPrefix(a, "rsa-") || strings.HasPrefix(a, "ecdsa-")
	})
}

// attempt is one handshake with what it needs and how far it came.
type attempt struct {
	hop        *hop
	known      *trust
	ids        *identities
	algorithms []string

	dialed  bool
	trusted bool
	wrong   error // why the host key was refused
}

func (a *attempt) run(ctx context.Context, dial dialer) (*ssh.Client, *wire, error) {
	raw, err := dial(ctx, "tcp", a.hop.addr())
	if err != nil {
		return nil, nil, err
	}
	a.dialed = true
	w := &wire{Conn: raw}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conf := &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: keyExchanges},
		User:              a.hop.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(a.ids.signers...)},
		HostKeyAlgorithms: a.algorithms,
		HostKeyCallback: func(n string, r net.Addr, k ssh.PublicKey) error {
			a.wrong = a.known.check(n, r, k)
			a.trusted = a.wrong == nil
			return a.wrong
		},
		BannerCallback: func(string) error { return nil },
	}
	c, chans, reqs, err := ssh.NewClientConn(w, a.hop.addr(), conf)
	if !stop() { // the context ended first and closed the connection
		raw.Close()
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	return ssh.NewClient(c, chans, reqs), w, nil
}

// explain makes one of package host's errors of what went wrong.
func (a *attempt) explain(ctx context.Context, err error) error {
	if a.wrong != nil {
		return a.wrong
	}
	var known *host.UnreachableError // the jump host's own
	var refused *host.AuthError
	if errors.As(err, &known) || errors.As(err, &refused) {
		return err
	}
	op := "connecting to " + a.hop.addr()
	if a.dialed {
		op = "talking SSH to " + a.hop.addr()
	}
	if a.hop.via != nil {
		op += " through " + a.hop.via.addr()
	}
	if a.trusted && ctx.Err() == nil && !cut(err) {
		return &host.AuthError{
			Host: a.hop.Name,
			Err:  fmt.Errorf("user %s is not let in: %w (%s)", a.hop.User, err, a.tried()),
			Fix: fmt.Sprintf("`ssh -p %d %s@%s true` must work without a question; put one of the public keys into ~%s/.ssh/authorized_keys there, or set ssh { user, identity_file }",
				a.hop.Port, a.hop.User, a.hop.Address, a.hop.User),
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &host.UnreachableError{Host: a.hop.Name, Op: op, Err: err}
}

// tried says which keys were offered and what else was found out.
func (a *attempt) tried() string {
	var words []string
	for _, s := range a.ids.signers {
		words = append(words, s.PublicKey().Type()+" "+ssh.FingerprintSHA256(s.PublicKey()))
	}
	text := "tried no key"
	if len(words) > 0 {
		text = "tried " + strings.Join(words, ", ")
	}
	return strings.Join(append([]string{text}, a.ids.notes...), "; ")
}

// cut is whether an error is the transport's and not the peer's answer.
func cut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// netDialer is a plain TCP connection. Its own keepalive stays on: it costs
// nothing and finds a vanished peer while a long command is silent.
func netDialer() dialer {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	return d.DialContext
}
