package ssh

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Keys remembers the identity files that were opened with their passphrase, for
// all hosts of a run: each is asked for and decrypted once, which is slow by
// design. The zero value is ready.
type Keys struct {
	mu    sync.Mutex
	files map[string]*lockedFile
}

// lockedFile is an encrypted identity file, opened or not.
type lockedFile struct {
	asking sync.Mutex // held while somebody is asked; others then take the outcome

	mu     sync.Mutex
	signer ssh.Signer
	err    error // why it will not be opened
}

func (k *Keys) file(name string) *lockedFile {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files == nil {
		k.files = map[string]*lockedFile{}
	}
	if k.files[name] == nil {
		k.files[name] = &lockedFile{}
	}
	return k.files[name]
}

// opened is the key of a file that somebody has opened, else nil. It does not wait
// for whoever is at it.
func (k *Keys) opened(name string) ssh.Signer {
	f := k.file(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signer
}

// passphrases is how many are tried before a key is given up, as ssh does.
const passphrases = 3

// open asks for the passphrase of a key, unless that was done.
func (k *Keys) open(ctx context.Context, key *lockedSigner, ask func(context.Context, string) ([]byte, error)) error {
	f := k.file(key.file)
	f.asking.Lock()
	defer f.asking.Unlock()
	if f.signer != nil || f.err != nil {
		return f.err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	signer, err := key.decrypt(ctx, ask)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.signer = signer; ctx.Err() == nil {
		f.err = err
	}
	return err
}

// lockedSigner is an encrypted key whose passphrase was not asked for yet. When a
// host takes the key, its signature fails and it says that it is wanted: while
// somebody types there is to be no connection that ends for want of patience.
type lockedSigner struct {
	public ssh.PublicKey
	file   string
	text   []byte
	wanted func(*lockedSigner)
}

var errLocked = errors.New("its passphrase was not asked for yet")

// PublicKey is what the host is asked about.
func (s *lockedSigner) PublicKey() ssh.PublicKey { return s.public }

// Sign fails.
func (s *lockedSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm fails.
func (s *lockedSigner) SignWithAlgorithm(io.Reader, []byte, string) (*ssh.Signature, error) {
	s.wanted(s)
	return nil, errLocked
}

func (s *lockedSigner) decrypt(ctx context.Context, ask func(context.Context, string) ([]byte, error)) (ssh.Signer, error) {
	for range passphrases {
		phrase, err := ask(ctx, s.file)
		if err != nil {
			return nil, fmt.Errorf("the passphrase of %s: %w", s.file, err)
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(s.text, phrase)
		if err == nil {
			return signer, nil
		}
		if len(phrase) > 0 && !errors.Is(err, x509.IncorrectPasswordError) {
			return nil, fmt.Errorf("opening %s: %w", s.file, err)
		}
	}
	return nil, fmt.Errorf("opening %s: %d passphrases were wrong", s.file, passphrases)
}
