package ssh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
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
	agent   net.Conn      // open while authenticating
	wanted  *lockedSigner // that the host takes, once it is opened
	locked  []string      // files that nobody can be asked about
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
		s, err := ids.load(f, held, o)
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
// holds it; else it is opened once a host has said that it takes the key.
func (i *identities) load(file string, held []ssh.Signer, o Options) ([]ssh.Signer, error) {
	text, err := o.Files.read(file)
	if err != nil {
		return i.publicOnly(file, held, o, err)
	}
	signer, err := o.Files.parse(file, text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		public := locked.PublicKey
		if public == nil {
			public = readPublic(file+".pub", o)
		}
		if s := holding(held, public); s != nil {
			return []ssh.Signer{s}, nil
		}
		signer, err = i.unopened(file, text, public, o), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no private key that can be read: %w", file, err)
	}
	if signer == nil {
		return nil, nil
	}
	signers := []ssh.Signer{signer}
	if cert, ok := readPublic(file+"-cert.pub", o).(*ssh.Certificate); ok {
		if c, err := ssh.NewCertSigner(cert, signer); err == nil {
			signers = []ssh.Signer{c, signer}
		}
	}
	return signers, nil
}

// unopened is the key of an encrypted file that no agent holds; nil when it is of
// no use.
func (i *identities) unopened(file string, text []byte, public ssh.PublicKey, o Options) ssh.Signer {
	if s := o.Keys.opened(file); s != nil {
		return s
	}
	switch {
	case o.Passphrase == nil:
		i.locked = append(i.locked, file)
		i.note("%s is encrypted, ssh-agent does not hold it, and there is nobody to ask for its passphrase", file)
	case public == nil: // an old format, which does not tell
		i.note("%s is encrypted and does not say which key it is: `ssh-keygen -y -f %s > %s.pub` tells it", file, file, file)
	default:
		return &lockedSigner{public: public, file: file, text: text, wanted: func(s *lockedSigner) { i.wanted = s }}
	}
	return nil
}

// publicOnly is an identity file that is only a .pub beside an agent's key.
func (i *identities) publicOnly(file string, held []ssh.Signer, o Options, err error) ([]ssh.Signer, error) {
	if s := holding(held, readPublic(strings.TrimSuffix(file, ".pub")+".pub", o)); s != nil {
		return []ssh.Signer{s}, nil
	}
	return nil, fmt.Errorf("identity file: %w", err)
}

func readPublic(file string, o Options) ssh.PublicKey {
	text, err := o.Files.read(file)
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
