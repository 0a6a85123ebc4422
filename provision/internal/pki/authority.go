package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"time"
)

// How long certificates are good for: as kubeadm has it.
const (
	CAValidity   = 10 * 365 * 24 * time.Hour
	LeafValidity = 365 * 24 * time.Hour
	// APIValidity is that of the client certificates drover makes for its own
	// use, which exist in memory only.
	APIValidity = time.Hour
)

// slack is how far back a certificate's life begins: a host whose clock is
// somewhat behind must not refuse a certificate made just now.
const slack = 5 * time.Minute

// Authority is a CA that can sign: its certificate and its key.
type Authority struct {
	Cert *x509.Certificate
	Key  Key
}

// Usage is what a certificate may be used for.
type Usage string

// The usages of leaves.
const (
	Server Usage = "server"
	Client Usage = "client"
)

// Leaf is what a certificate shall say.
type Leaf struct {
	CommonName    string
	Organizations []string // the groups of a Kubernetes client
	DNSNames      []string
	IPs           []netip.Addr
	Usages        []Usage
	Validity      time.Duration
}

// NewCA makes an authority of its own.
func NewCA(commonName string, now time.Time, validity time.Duration) (Authority, error) {
	key, err := NewKey()
	if err != nil {
		return Authority{}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-slack),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		// Nothing below these authorities signs: a stolen leaf key stays a leaf's.
		MaxPathLenZero: true,
	}
	cert, err := sign(template, template, key, key)
	if err != nil {
		return Authority{}, fmt.Errorf("pki: make CA %s: %w", commonName, err)
	}
	return Authority{cert, key}, nil
}

// ParseAuthority reads an authority's two files and proves that they belong
// together.
func ParseAuthority(certPEM, keyPEM []byte) (Authority, error) {
	cert, err := ParseCertificate(certPEM)
	if err != nil {
		return Authority{}, err
	}
	key, err := ParseKey(keyPEM)
	if err != nil {
		return Authority{}, err
	}
	a := Authority{cert, key}
	if !cert.IsCA {
		return Authority{}, fmt.Errorf("pki: %s is not a CA's certificate", cert.Subject)
	}
	if !key.Fits(cert) {
		return Authority{}, fmt.Errorf("pki: the key does not belong to the certificate of CA %s", cert.Subject)
	}
	return a, nil
}

// ParseCertificate reads the first certificate of a PEM file, which is the one
// a server shows or a CA bundle starts with.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("pki: read a certificate: %w", err)
		}
		return cert, nil
	}
	return nil, errors.New("pki: no certificate in PEM form")
}

// CertPEM is the authority's certificate as a file.
func (a Authority) CertPEM() []byte { return certPEM(a.Cert) }

// String names the authority; neither it nor any other output shows the key.
func (a Authority) String() string {
	if a.Cert == nil {
		return "CA (none)"
	}
	return "CA " + a.Cert.Subject.CommonName
}

// Format answers every verb like String: %+v would print the whole certificate.
func (a Authority) Format(f fmt.State, _ rune) { fmt.Fprint(f, a.String()) }

// MarshalText covers JSON.
func (a Authority) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Issue makes a key and signs a certificate for it. The certificate never
// outlives its authority.
func (a Authority) Issue(l Leaf, now time.Time) (cert, key []byte, err error) {
	if err := a.canIssue(l, now); err != nil {
		return nil, nil, err
	}
	k, err := NewKey()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: l.CommonName, Organization: slices.Sorted(slices.Values(l.Organizations))},
		DNSNames:              l.DNSNames,
		NotBefore:             latest(now.Add(-slack), a.Cert.NotBefore),
		NotAfter:              earliest(now.Add(l.Validity), a.Cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	for _, ip := range l.IPs {
		template.IPAddresses = append(template.IPAddresses, ip.Unmap().AsSlice())
	}
	for _, u := range l.Usages {
		template.ExtKeyUsage = append(template.ExtKeyUsage, extUsages[u])
	}
	c, err := sign(template, a.Cert, k, a.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: issue %s by %s: %w", l.CommonName, a, err)
	}
	if key, err = k.PEM(); err != nil {
		return nil, nil, err
	}
	return certPEM(c), key, nil
}

var extUsages = map[Usage]x509.ExtKeyUsage{Server: x509.ExtKeyUsageServerAuth, Client: x509.ExtKeyUsageClientAuth}

func (a Authority) canIssue(l Leaf, now time.Time) error {
	switch {
	case a.Cert == nil || !a.Key.IsSet():
		return fmt.Errorf("pki: issue %s: the authority has no certificate or no key", l.CommonName)
	case l.CommonName == "":
		return errors.New("pki: issue: a leaf needs a common name")
	case l.Validity <= 0:
		return fmt.Errorf("pki: issue %s: a validity of %s", l.CommonName, l.Validity)
	case len(l.Usages) == 0:
		// Without a usage a certificate is good for everything.
		return fmt.Errorf("pki: issue %s: neither for servers nor for clients", l.CommonName)
	case !now.Before(a.Cert.NotAfter):
		return fmt.Errorf("pki: issue %s: %s ended on %s", l.CommonName, a, date(a.Cert.NotAfter))
	}
	for _, u := range l.Usages {
		if _, ok := extUsages[u]; !ok {
			return fmt.Errorf("pki: issue %s: no usage %q", l.CommonName, u)
		}
	}
	return nil
}

func sign(template, parent *x509.Certificate, k, by Key) (*x509.Certificate, error) {
	// 20 octets at most, as RFC 5280 wants it, and not guessable.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial.Add(serial, big.NewInt(1))
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &k.private.PublicKey, by.private)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func certPEM(c *x509.Certificate) []byte {
	if c == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
