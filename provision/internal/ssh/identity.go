package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/droverctl/drover/provision/host"
)

// identities are the keys to try at one hop, and what was found out on the way,
// for the error if none of them is taken.
type identities struct {
	signers []ssh.Signer
	notes   []string
	agent   net.Conn // open while authenticating
}

func (i *identities) close() {
	if i.agent != nil {
		i.agent.Close()
	}
}

func (i *identities) note(format string, args ...any) {
	i.notes = append(i.notes, fmt.Sprintf(format, args...))
}

// findIdentities gathers keys in ssh's order: identity files, by the agent where
// it holds them, and then, unless IdentitiesOnly, what else the agent has. With
// ssh's default files the agent comes first.
func findIdentities(ctx context.Context, h *hop, o Options) (*identities, error) {
	ids := &identities{}
	held := ids.askAgent(ctx, h.agentSocket)
	var files []ssh.Signer
	for _, f := range h.identities {
		s, err := ids.load(ctx, f, held, o)
		if err != nil && f == h.IdentityFile {
			ids.close()
			return nil, &host.AuthError{Host: h.Name, Err: err, Fix: "make the key readable for you, or name another one: ssh { identity_file = … }"}
		}
		if err != nil && (h.explicit || !errors.Is(err, fs.ErrNotExist)) {
			ids.note("%v", err)
		}
		files = append(files, s...)
	}
	var rest []ssh.Signer
	if !h.onlyThese {
		rest = held
	}
	if h.explicit {
		ids.signers = distinct(files, rest)
	} else {
		ids.signers = distinct(rest, files)
	}
	return ids, nil
}

func (i *identities) askAgent(ctx context.Context, socket string) []ssh.Signer {
	if socket == "" || socket == "none" {
		i.note("no ssh-agent")
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		i.note("ssh-agent does not answer: %v", err)
		return nil
	}
	i.agent = conn
	if end, ok := ctx.Deadline(); ok { // an agent may hang, or wait for its user
		conn.SetDeadline(end)
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		i.note("ssh-agent does not list its keys: %v", err)
		return nil
	}
	i.note("ssh-agent holds %d keys", len(signers))
	return signers
}

// load reads an identity file. An encrypted one is left to the agent if that
// holds it; else it is decrypted when the host has said that it takes the key.
func (i *identities) load(ctx context.Context, file string, held []ssh.Signer, o Options) ([]ssh.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return i.publicOnly(file, held, err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		public := locked.PublicKey
		if public == nil {
			public = readPublic(file + ".pub")
		}
		if s := holding(held, public); s != nil {
			return []ssh.Signer{s}, nil
		}
		if o.Passphrase == nil || public == nil {
			i.note("%s is encrypted, and neither ssh-agent holds it (ssh-add %s) nor is there a passphrase", file, file)
			return nil, nil
		}
		signer = &lockedSigner{ctx: ctx, public: public, file: file, text: text, ask: o.Passphrase}
	case err != nil:
		return nil, fmt.Errorf("%s is no private key that can be read: %w", file, err)
	}
	signers := []ssh.Signer{signer}
	if cert, ok := readPublic(file + "-cert.pub").(*ssh.Certificate); ok {
		if c, err := ssh.NewCertSigner(cert, signer); err == nil {
			signers = []ssh.Signer{c, signer}
		}
	}
	return signers, nil
}

// publicOnly is an identity file that is only a .pub beside an agent's key.
func (i *identities) publicOnly(file string, held []ssh.Signer, err error) ([]ssh.Signer, error) {
	if s := holding(held, readPublic(strings.TrimSuffix(file, ".pub")+".pub")); s != nil {
		return []ssh.Signer{s}, nil
	}
	return nil, fmt.Errorf("identity file: %w", err)
}

// lockedSigner is an encrypted key that is opened when a signature is needed.
type lockedSigner struct {
	ctx    context.Context // of the connecting that it is made for
	public ssh.PublicKey
	file   string
	text   []byte
	ask    func(context.Context, string) ([]byte, error)
}

func (s *lockedSigner) PublicKey() ssh.PublicKey { return s.public }

func (s *lockedSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

func (s *lockedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	phrase, err := s.ask(s.ctx, s.file)
	if err != nil {
		return nil, fmt.Errorf("passphrase of %s: %w", s.file, err)
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase(s.text, phrase)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", s.file, err)
	}
	if a, ok := signer.(ssh.AlgorithmSigner); ok {
		return a.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

func readPublic(file string) ssh.PublicKey {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return key
}

func holding(signers []ssh.Signer, key ssh.PublicKey) ssh.Signer {
	for _, s := range signers {
		if key != nil && sameKey(s.PublicKey(), key) {
			return s
		}
	}
	return nil
}

func distinct(lists ...[]ssh.Signer) []ssh.Signer {
	var all []ssh.Signer
	for _, l := range lists {
		for _, s := range l {
			if holding(all, s.PublicKey()) == nil {
				all = append(all, s)
			}
		}
	}
	return all
}
