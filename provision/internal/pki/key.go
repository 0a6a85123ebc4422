package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

const hidden = "(private key)"

// Key is an ECDSA P-256 private key that no output shows by accident: every
// way of printing or encoding it gives a placeholder. The key sits behind a
// pointer because fmt, which may not call methods on a struct's unexported
// fields, would otherwise print it from there.
type Key struct{ private *ecdsa.PrivateKey }

// NewKey makes a key. P-256 is what kubeadm offers besides RSA: its signatures
// cost a fraction of RSA's at every one of the API server's TLS handshakes.
func NewKey() (Key, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("pki: make a key: %w", err)
	}
	return Key{k}, nil
}

// ParseKey reads a key in SEC 1 or PKCS #8 form. Its errors never quote what
// they could not read.
func ParseKey(text []byte) (Key, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "EC PRIVATE KEY":
			k, err := x509.ParseECPrivateKey(block.Bytes)
			if err != nil {
				return Key{}, errors.New("pki: the EC PRIVATE KEY is damaged")
			}
			return p256(k)
		case "PRIVATE KEY":
			any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return Key{}, errors.New("pki: the PRIVATE KEY is damaged")
			}
			k, ok := any.(*ecdsa.PrivateKey)
			if !ok {
				return Key{}, fmt.Errorf("pki: the private key is a %T, not an ECDSA key", any)
			}
			return p256(k)
		}
	}
	return Key{}, errors.New("pki: no private key in PEM form")
}

func p256(k *ecdsa.PrivateKey) (Key, error) {
	if k.Curve != elliptic.P256() {
		return Key{}, fmt.Errorf("pki: the private key is on %s, not on P-256", k.Curve.Params().Name)
	}
	return Key{k}, nil
}

// IsSet says whether there is a key.
func (k Key) IsSet() bool { return k.private != nil }

// PEM is the secret itself, for a file of mode 0600.
func (k Key) PEM() ([]byte, error) {
	if !k.IsSet() {
		return nil, errors.New("pki: no key")
	}
	der, err := x509.MarshalECPrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("pki: encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// PublicPEM is the public half, as in sa.pub.
func (k Key) PublicPEM() ([]byte, error) {
	if !k.IsSet() {
		return nil, errors.New("pki: no key")
	}
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("pki: encode a public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// Fits says whether k is the private half of a certificate.
func (k Key) Fits(cert *x509.Certificate) bool {
	return k.IsSet() && cert != nil && k.private.PublicKey.Equal(cert.PublicKey)
}

// FitsPublic says whether k is the private half of one of the public keys: there
// are several while keys are exchanged.
func (k Key) FitsPublic(text []byte) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err == nil && k.IsSet() && k.private.PublicKey.Equal(public) {
			return true
		}
	}
	return false
}

func (k Key) String() string { return hidden }

// Format answers every verb alike: %x and %d would otherwise bypass String.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText covers JSON and every other encoding that asks.
func (k Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
