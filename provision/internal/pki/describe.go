package pki

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/plan"
)

// When certificates are told of and renewed.
const (
	// RenewBefore is how much life a leaf must have left; with less it is renewed.
	RenewBefore = 30 * 24 * time.Hour
	// WarnCABefore and FailCABefore are the same for CAs, which are not renewed
	// by themselves: replacing one is a project, and a year is the notice for it.
	WarnCABefore = 365 * 24 * time.Hour
	FailCABefore = 90 * 24 * time.Hour
)

// Description is what a certificate says, in words that can be shown and
// compared. It holds no secret.
type Description struct {
	Subject       string    `json:"subject"` // "CN=admin, O=a, O=b"
	CommonName    string    `json:"common_name"`
	Organizations []string  `json:"organizations,omitempty"` // sorted
	SANs          []string  `json:"sans,omitempty"`          // "DNS:name", "IP:address", sorted
	Usages        []Usage   `json:"usages,omitempty"`        // sorted
	CA            bool      `json:"ca,omitempty"`
	KeyType       string    `json:"key_type"`              // "ECDSA P-256"
	KeyID         string    `json:"key_id,omitempty"`      // hex; of the certificate's own key
	Issuer        string    `json:"issuer"`                // the issuer's common name
	IssuerKeyID   string    `json:"issuer_key,omitempty"`  // hex; the KeyID of the CA that signed
	Fingerprint   string    `json:"fingerprint,omitempty"` // "sha256:hex" of the certificate
	NotBefore     time.Time `json:"not_before"`
	NotAfter      time.Time `json:"not_after"`
}

// Describe reads the first certificate of a PEM file.
func Describe(certPEM []byte) (Description, error) {
	cert, err := ParseCertificate(certPEM)
	if err != nil {
		return Description{}, err
	}
	return describe(cert), nil
}

// Describe says what the authority's certificate says.
func (a Authority) Describe() Description { return describe(a.Cert) }

func describe(c *x509.Certificate) Description {
	sum := sha256.Sum256(c.Raw)
	d := Description{
		Subject:       subject(c.Subject.CommonName, c.Subject.Organization),
		CommonName:    c.Subject.CommonName,
		Organizations: sorted(c.Subject.Organization),
		CA:            c.IsCA,
		KeyType:       keyType(c),
		KeyID:         hex.EncodeToString(c.SubjectKeyId),
		SANs:          sans(c),
		Issuer:        c.Issuer.CommonName,
		IssuerKeyID:   hex.EncodeToString(c.AuthorityKeyId),
		Fingerprint:   "sha256:" + hex.EncodeToString(sum[:]),
		NotBefore:     c.NotBefore.UTC(),
		NotAfter:      c.NotAfter.UTC(),
	}
	for _, u := range c.ExtKeyUsage {
		d.Usages = append(d.Usages, usageName(u))
	}
	slices.Sort(d.Usages)
	return d
}

func sans(c *x509.Certificate) []string {
	var out []string
	for _, n := range c.DNSNames {
		out = append(out, "DNS:"+n)
	}
	for _, ip := range c.IPAddresses {
		out = append(out, "IP:"+ip.String())
	}
	// Whatever else it names, drover did not ask for.
	for _, m := range c.EmailAddresses {
		out = append(out, "email:"+m)
	}
	for _, u := range c.URIs {
		out = append(out, "URI:"+u.String())
	}
	return unique(out)
}

func usageName(u x509.ExtKeyUsage) Usage {
	for name, known := range extUsages {
		if u == known {
			return name
		}
	}
	return Usage(fmt.Sprintf("other(%d)", u))
}

func keyType(c *x509.Certificate) string {
	if k, ok := c.PublicKey.(*ecdsa.PublicKey); ok {
		return "ECDSA " + k.Curve.Params().Name
	}
	return c.PublicKeyAlgorithm.String()
}

func subject(cn string, orgs []string) string {
	parts := []string{"CN=" + cn}
	for _, o := range sorted(orgs) {
		parts = append(parts, "O="+o)
	}
	return strings.Join(parts, ", ")
}

// State is what plans compare: all that makes a certificate the wanted one, and
// nothing that differs between two equally good ones, such as a serial number.
func State(d Description, now time.Time) plan.State {
	s := plan.State{
		"subject": d.Subject,
		"key":     d.KeyType,
		"expires": expires(d, now),
	}
	if d.CA {
		s["ca"] = "true"
		s["key id"] = d.KeyID
		return s
	}
	s["sans"] = strings.Join(d.SANs, ", ")
	s["usages"] = joinUsages(d.Usages)
	s["issuer"] = issuer(d.Issuer, d.IssuerKeyID)
	return s
}

// Wanted is the State of a good certificate for l under a CA. It takes the CA's
// description, not the authority: planning holds no keys.
func Wanted(l Leaf, ca Description) plan.State {
	var names []string
	for _, n := range l.DNSNames {
		names = append(names, "DNS:"+n)
	}
	for _, ip := range l.IPs {
		names = append(names, "IP:"+ip.Unmap().String())
	}
	return plan.State{
		"subject": subject(l.CommonName, l.Organizations),
		"key":     "ECDSA P-256",
		"expires": "ok",
		"sans":    strings.Join(unique(names), ", "),
		"usages":  joinUsages(unique(l.Usages)),
		"issuer":  issuer(ca.CommonName, ca.KeyID),
	}
}

// WantedCA is the State of an authority's certificate on every host that holds
// it. A CA's end is a Problem, never a change: see Lifetime.
func WantedCA(ca Description) plan.State {
	return plan.State{"subject": ca.Subject, "key": ca.KeyType, "expires": "ok", "ca": "true", "key id": ca.KeyID}
}

func expires(d Description, now time.Time) string {
	switch {
	case now.Before(d.NotBefore):
		return "not yet valid (" + date(d.NotBefore) + ")"
	case !now.Before(d.NotAfter):
		return "expired (" + date(d.NotAfter) + ")"
	case !d.CA && d.NotAfter.Sub(now) < RenewBefore:
		return "within 30 days (" + date(d.NotAfter) + ")"
	}
	return "ok"
}

func issuer(name, keyID string) string { return name + " " + keyID }

func joinUsages(us []Usage) string {
	words := make([]string, len(us))
	for i, u := range us {
		words[i] = string(u)
	}
	return strings.Join(words, ", ")
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func sorted(in []string) []string { return slices.Sorted(slices.Values(in)) }

func unique[T ~string](in []T) []T { return slices.Compact(slices.Sorted(slices.Values(in))) }
