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

// dialer opens the transport to a hop.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// way leads to a hop: from here, or through a jump host, which is connected to
// when nobody has.
type way func(context.Context) (dialer, error)

// connect opens, verifies and authenticates one hop. When the hop takes a key whose
// passphrase nobody was asked for yet, that is done with nothing open that would
// end meanwhile.
func connect(ctx context.Context, h *hop, o Options, by way) (*link, error) {
	known, err := trustOf(ctx, h, o)
	if err != nil {
		return nil, err
	}
	for {
		h.tell(Preparing)
		dial, err := by(ctx)
		if err != nil {
			return nil, err
		}
		l, wanted, err := connectOnce(ctx, h, o, known, dial)
		if wanted == nil {
			return l, err
		}
		if err := o.Keys.open(ctx, wanted, o.Passphrase); err != nil {
			return nil, &host.AuthError{Host: h.Name, Err: err, Fix: fmt.Sprintf("`ssh-add %s` first, so that nobody is asked", wanted.file)}
		}
	}
}

// connectOnce is connect with the keys there are. It may return another that the
// hop takes.
func connectOnce(ctx context.Context, h *hop, o Options, known *trust, dial dialer) (*link, *lockedSigner, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.DialTimeout, fmt.Errorf("no answer within %s: %w", o.DialTimeout, context.DeadlineExceeded))
	defer cancel()
	ids, err := findIdentities(ctx, h, o)
	if err != nil {
		return nil, nil, err
	}
	defer ids.close()
	a := &attempt{hop: h, known: known, ids: ids, algorithms: known.algorithms()}
	client, w, err := a.run(ctx, dial)
	var disagree *ssh.AlgorithmNegotiationError
	if errors.As(err, &disagree) && noCommonHostKey(disagree) {
		// The host has no key of the kinds known for it: ask for any, so that the
		// refusal can name it.
		a.algorithms = plainAlgorithms
		client, w, err = a.run(ctx, dial)
	}
	if err != nil {
		return nil, ids.wanted, a.explain(ctx, err)
	}
	return newLink(client, w, o), nil, nil
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
	a.hop.tell(Calling)
	raw, err := dial(ctx, "tcp", a.hop.addr())
	if err != nil {
		return nil, nil, err
	}
	a.dialed = true
	a.hop.tell(Talking)
	w := &wire{Conn: raw, heard: func() { a.hop.tell(Talking) }}
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
			Fix:  a.remedy(),
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &host.UnreachableError{
		Host: a.hop.Name, Op: op, Err: err,
		Fix: fmt.Sprintf("is the machine on, and is this its address? `%s` must work from here", a.hop.try()),
	}
}

// try is what people see with whether they get there.
func (h *hop) try() string {
	jump := ""
	if h.via != nil {
		jump = fmt.Sprintf("-J %s@%s:%d ", h.via.User, h.via.Address, h.via.Port)
	}
	return fmt.Sprintf("ssh %s-p %d %s@%s true", jump, h.Port, h.User, h.Address)
}

// remedy is what to do when no key was taken.
func (a *attempt) remedy() string {
	text := fmt.Sprintf("`%s` must work without a question; put one of the public keys into ~%s/.ssh/authorized_keys there, or set ssh { user, identity_file }",
		a.hop.try(), a.hop.User)
	if len(a.ids.locked) > 0 {
		text = fmt.Sprintf("`ssh-add %s`, or run drover on a terminal, where it asks for the passphrase. If that is not the key: %s", a.ids.locked[0], text)
	}
	return text
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

// direct is a plain TCP connection. Its own keepalive stays on: it costs nothing
// and finds a vanished peer while a long command is silent.
func direct(context.Context) (dialer, error) {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	return d.DialContext, nil
}
