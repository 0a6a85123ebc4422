package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host"
)

// trust is what is known about one host's key before it is connected to.
type trust struct {
	hop         *hop
	all         *knownKeys
	keys        []knownKey
	authorities []knownKey
	attested    attested
}

func trustOf(ctx context.Context, h *hop, o Options) (*trust, error) {
	t := &trust{hop: h, all: &knownKeys{}}
	if h.HostKey != "" {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(h.HostKey))
		if err != nil {
			return nil, &host.AuthError{Host: h.Name, Err: fmt.Errorf("the host key pinned in the inventory cannot be read: %w", err),
				Fix: "write it as in the host's /etc/ssh/ssh_host_ed25519_key.pub: ssh-ed25519 AAAA…"}
		}
		t.keys = []knownKey{{key: key, where: "the inventory"}}
		return t, nil
	}
	all, err := o.Files.knownHosts(h.knownHosts)
	if err != nil {
		return nil, &host.AuthError{Host: h.Name, Err: err, Fix: "make the file readable, or name another one: ssh { known_hosts = … }"}
	}
	t.all, t.keys, t.authorities = all, all.keysOf(h.keyNames), all.authoritiesOf(h.keyNames)
	if h.Attested != nil {
		t.attested = readAttestation(h.Attested(ctx))
	}
	return t, nil
}

// certificateAlgorithms are the kinds of host certificates, whose key type says
// nothing about their authority's.
var certificateAlgorithms = []string{
	ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
}

// plainAlgorithms are those of keys without a certificate.
var plainAlgorithms = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
}

// algorithms are those that can end well: of the keys that are known, so that a
// host with several keys shows the one we can check.
func (t *trust) algorithms() []string {
	var names []string
	if len(t.authorities) > 0 {
		names = append(names, certificateAlgorithms...)
	}
	var known []ssh.PublicKey
	for _, k := range t.keys {
		known = append(known, k.key)
	}
	if known == nil {
		known = t.attested.keys
	}
	for _, k := range known {
		for _, a := range algorithmsOf(k) {
			if !slices.Contains(names, a) {
				names = append(names, a)
			}
		}
	}
	if names == nil { // any key will do to say which one it is
		return plainAlgorithms
	}
	return names
}

func algorithmsOf(k ssh.PublicKey) []string {
	if k.Type() == ssh.KeyAlgoRSA { // a type of key, and as an algorithm SHA-1
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{k.Type()}
}

// check is the host key callback. Its errors are *host.AuthError.
func (t *trust) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	plain := key
	cert, certified := key.(*ssh.Certificate)
	if certified {
		plain = cert.Key
	}
	if line, ok := t.all.revokes(plain); ok {
		return t.refuse(fmt.Errorf("the host key %s is revoked by %s", ssh.FingerprintSHA256(plain), line.where),
			"find out why it was revoked before anything else; give the host a new key")
	}
	var wrong error // with its certificate
	if certified {
		if wrong = t.checkCertificate(cert); wrong == nil {
			return t.contradicted(plain)
		}
		if _, bad := t.all.revokes(cert.SignatureKey); bad {
			return wrong
		}
	}
	for _, k := range t.keys { // as in ssh, also of a host whose certificate is of no use
		if sameKey(k.key, plain) {
			return t.contradicted(plain)
		}
	}
	if len(t.keys) == 0 && t.attested.has(plain) {
		return nil
	}
	if wrong != nil {
		return wrong
	}
	return t.mismatch(key)
}

func (t *trust) checkCertificate(cert *ssh.Certificate) error {
	checker := ssh.CertChecker{
		IsHostAuthority: func(k ssh.PublicKey, _ string) bool {
			return slices.ContainsFunc(t.authorities, func(a knownKey) bool { return sameKey(a.key, k) })
		},
		IsRevoked: func(c *ssh.Certificate) bool { _, bad := t.all.revokes(c.SignatureKey); return bad },
	}
	fix := fmt.Sprintf("sign the host's key anew with the authority, for one of the names %s", strings.Join(bare(t.hop.keyNames), ", "))
	if cert.CertType != ssh.HostCert {
		return t.refuse(errors.New("the host shows a user's certificate as its own"), fix)
	}
	if !checker.IsHostAuthority(cert.SignatureKey, "") {
		return t.refuse(fmt.Errorf("the host's certificate is signed by %s, which is no @cert-authority for it",
			ssh.FingerprintSHA256(cert.SignatureKey)), fix)
	}
	names := bare(t.hop.keyNames)
	name := names[0]
	if i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(cert.ValidPrincipals, n) }); i >= 0 {
		name = names[i]
	}
	if err := checker.CheckCert(name, cert); err != nil {
		return t.refuse(fmt.Errorf("the host's certificate is not valid: %w", err), fix)
	}
	return nil
}

// mismatch is the error for a key that is not a known one.
func (t *trust) mismatch(key ssh.PublicKey) error {
	seen := ssh.FingerprintSHA256(key)
	if len(t.keys) == 0 {
		unknown := "its host key is not known"
		if len(t.authorities) > 0 {
			unknown += ", and it has no certificate of the @cert-authority for it"
		}
		if err := t.contradicted(bareKey(key)); err != nil {
			return err
		}
		return t.refuse(fmt.Errorf("%s: it shows %s %s%s", unknown, key.Type(), seen, t.attested.silence()), t.addCommand(key))
	}
	var known, where []string
	for _, k := range t.keys {
		known, where = append(known, k.key.Type()+" "+ssh.FingerprintSHA256(k.key)), append(where, k.where)
	}
	err := fmt.Errorf("its host key has CHANGED: known is %s, it shows %s %s%s", strings.Join(known, ", "), key.Type(), seen, t.attested.agrees(bareKey(key)))
	return t.refuse(err, fmt.Sprintf("if the machine was not reinstalled, somebody may be listening in: stop here. If it was, remove %s, then: %s",
		strings.Join(where, ", "), t.addCommand(key)))
}

// addCommand makes the key known, exactly as it is to be typed: the very key whose
// fingerprint was compared, not one that is fetched anew.
func (t *trust) addCommand(key ssh.PublicKey) string {
	if t.hop.HostKey != "" {
		return "compare the fingerprint with the host's console and correct host_key in the inventory"
	}
	file := "~/.ssh/known_hosts"
	if len(t.hop.knownHosts) > 0 {
		file = host.Quote(t.hop.knownHosts[0])
	}
	line := strings.Join(t.hop.keyNames, ",") + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return fmt.Sprintf("compare the fingerprint with what `ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub` says on the host's console; if it is the same: echo %s >> %s",
		fileType(key), host.Quote(line), file)
}

func (t *trust) refuse(err error, fix string) error {
	return &host.AuthError{Host: t.hop.Name, Err: err, Fix: fix}
}

// fileType is what the files of a type of host key are called by.
func fileType(k ssh.PublicKey) string {
	switch k.Type() {
	case ssh.KeyAlgoED25519:
		return "ed25519"
	case ssh.KeyAlgoRSA:
		return "rsa"
	}
	return "ecdsa"
}

// bare are names without ports: what a certificate is made out to.
func bare(names []string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = withoutPort(n)
	}
	return all
}
