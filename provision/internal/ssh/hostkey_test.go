package ssh_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

func TestUnknownHostKey(t *testing.T) {
	k := newKey(t)
	h, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{k.signer}})
	target := targetOf(s)
	target.KnownHosts = writeFile(t, "known_hosts", "")
	_, err := ssh.Dial(context.Background(), target, bare(t))
	e := wantAuthError(t, err, "node-1", "not known", xssh.FingerprintSHA256(k.public()))
	wantWords(t, e.Fix, "ssh_host_ed25519_key.pub", fmt.Sprintf("echo '[node-1]:%d,[127.0.0.1]:%d %s' >> %s", s.Port, s.Port, k.line(), target.KnownHosts))
	if len(h.Ops()) != 0 {
		t.Error("something was run")
	}
}

func TestChangedHostKey(t *testing.T) {
	old, now := newKey(t), newKey(t)
	_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{now.signer}})
	at := fmt.Sprintf("[127.0.0.1]:%d", s.Port)
	target := targetOf(s)
	target.KnownHosts = writeFile(t, "known_hosts", "# a comment\n"+at+" "+old.line()+"\n")
	_, err := ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, "CHANGED", xssh.FingerprintSHA256(old.public()), xssh.FingerprintSHA256(now.public()), target.KnownHosts+":2")
}

// A host that was reinstalled with another kind of key offers none of the known
// kinds; the refusal still shows the key that it has.
func TestChangedHostKeyType(t *testing.T) {
	now := newKey(t)
	_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{now.signer}})
	const ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg="
	target := targetOf(s)
	target.KnownHosts = writeFile(t, "known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s\n", s.Port, ecdsa))
	_, err := ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, "CHANGED", "ecdsa-sha2-nistp256", xssh.FingerprintSHA256(now.public()))
}

// A host with several keys shows the one that is known.
func TestOnlyKnownAlgorithmsAreOffered(t *testing.T) {
	known := newKey(t)
	s := serveTwoKeys(t, known)
	target := targetOf(s)
	target.KnownHosts = writeFile(t, "known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s\n", s.Port, known.line()))
	dial(t, target, bare(t))
}

func serveTwoKeys(t *testing.T, known key) *hosttest.Server {
	t.Helper()
	other := newECDSA(t)
	_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{other, known.signer}})
	return s
}

func TestPinnedHostKey(t *testing.T) {
	k := newKey(t)
	_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{k.signer}})
	target := targetOf(s)
	target.KnownHosts = "/nonexistent/known_hosts"
	target.HostKey = k.line() + " root@node-1"
	dial(t, target, bare(t))

	target.HostKey = newKey(t).line()
	_, err := ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, "CHANGED", "the inventory", xssh.FingerprintSHA256(k.public()))

	target.HostKey = "ssh-ed25519 rubbish"
	_, err = ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, "pinned in the inventory cannot be read")
}

func TestNamesInKnownHosts(t *testing.T) {
	k, stale := newKey(t), newKey(t)
	_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{k.signer}})
	byName := fmt.Sprintf("[node-1]:%d", s.Port)
	byAddress := fmt.Sprintf("[127.0.0.1]:%d", s.Port)
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"by name":            {byName + " " + k.line(), true},
		"by address":         {byAddress + " " + k.line(), true},
		"hashed":             {knownhosts.HashHostname(byAddress) + " " + k.line(), true},
		"two keys":           {byName + " " + stale.line() + "\n" + byName + " " + k.line(), true},
		"unreadable lines":   {"node-1 1024 35 1234\nnode-1 ssh-new AAAA\n" + byName + " " + k.line(), true},
		"name before addr":   {byName + " " + stale.line() + "\n" + byAddress + " " + k.line(), false},
		"another port":       {"127.0.0.1 " + k.line(), false},
		"revoked":            {byName + " " + k.line() + "\n@revoked * " + k.line(), false},
		"negated":            {"!" + byName + "," + byName + " " + k.line(), false},
		"authority as a key": {"@cert-authority " + byName + " " + k.line(), false},
	} {
		t.Run(name, func(t *testing.T) {
			target := targetOf(s)
			target.KnownHosts = writeFile(t, "known_hosts", c.text+"\n")
			conn, err := ssh.Dial(context.Background(), target, bare(t))
			if err == nil {
				conn.Close()
			}
			if (err == nil) != c.ok {
				t.Errorf("let through: %v, want %v: %v", err == nil, c.ok, err)
			}
			if err != nil {
				wantAuthError(t, err)
			}
		})
	}
}

func TestCertAuthority(t *testing.T) {
	authority, hostKey, other := newKey(t), newKey(t), newKey(t)
	hour := time.Hour
	for name, c := range map[string]struct {
		names  []string
		valid  time.Duration
		signer key
		kind   uint32
		marks  string
		words  []string // of the refusal; nil: let through
	}{
		"name":          {names: []string{"node-1"}, valid: hour, signer: authority, kind: xssh.HostCert},
		"address":       {names: []string{"127.0.0.1"}, valid: hour, signer: authority, kind: xssh.HostCert},
		"another host":  {names: []string{"node-2"}, valid: hour, signer: authority, kind: xssh.HostCert, words: []string{"not valid"}},
		"expired":       {names: []string{"node-1"}, valid: -hour, signer: authority, kind: xssh.HostCert, words: []string{"expired"}},
		"not authority": {names: []string{"node-1"}, valid: hour, signer: other, kind: xssh.HostCert, words: []string{"no @cert-authority", "SHA256:"}},
		"user's":        {names: []string{"node-1"}, valid: hour, signer: authority, kind: xssh.UserCert, words: []string{"user's certificate"}},
		"revoked authority": {names: []string{"node-1"}, valid: hour, signer: authority, kind: xssh.HostCert,
			marks: "@revoked * " + authority.line() + "\n", words: []string{"revoked"}},
		"revoked key": {names: []string{"node-1"}, valid: hour, signer: authority, kind: xssh.HostCert,
			marks: "@revoked * " + hostKey.line() + "\n", words: []string{"revoked"}},
	} {
		t.Run(name, func(t *testing.T) {
			cert := &xssh.Certificate{Key: hostKey.public(), CertType: c.kind, ValidPrincipals: c.names,
				ValidAfter: uint64(time.Now().Add(-2 * hour).Unix()), ValidBefore: uint64(time.Now().Add(c.valid).Unix())}
			if err := cert.SignCert(rand.Reader, c.signer.signer); err != nil {
				t.Fatal(err)
			}
			signer, err := xssh.NewCertSigner(cert, hostKey.signer)
			if err != nil {
				t.Fatal(err)
			}
			_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{signer}})
			target := targetOf(s)
			target.KnownHosts = writeFile(t, "known_hosts", c.marks+"@cert-authority node-*,other "+authority.line()+"\n")
			conn, err := ssh.Dial(context.Background(), target, bare(t))
			if c.words != nil {
				wantAuthError(t, err, c.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}

// certified is a host key with a certificate, and the authority that made it.
func certified(t *testing.T, hostKey key, names ...string) (signer xssh.Signer, authority key) {
	t.Helper()
	authority = newKey(t)
	cert := &xssh.Certificate{Key: hostKey.public(), CertType: xssh.HostCert, ValidPrincipals: names, ValidBefore: xssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority.signer); err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewCertSigner(cert, hostKey.signer)
	if err != nil {
		t.Fatal(err)
	}
	return signer, authority
}

// A host may have a certificate that nobody here knows the authority of: then its
// plain key counts, known or not.
func TestCertificateOfNobody(t *testing.T) {
	hostKey, old := newKey(t), newKey(t)
	signer, authority := certified(t, hostKey, "node-2")
	_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{signer, hostKey.signer}})
	const ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg="
	at := fmt.Sprintf("[127.0.0.1]:%d ", s.Port)
	shown := xssh.FingerprintSHA256(hostKey.public())
	for name, c := range map[string]struct {
		known string
		words []string // of the refusal; nil: let through
	}{
		"unknown":                   {"", []string{"not known", shown}},
		"changed":                   {at + old.line(), []string{"CHANGED", xssh.FingerprintSHA256(old.public()), shown}},
		"changed with its type":     {at + ecdsa, []string{"CHANGED", "ecdsa-sha2-nistp256", shown}},
		"known":                     {at + hostKey.line(), nil},
		"known, certificate unfit":  {"@cert-authority * " + authority.line() + "\n" + at + hostKey.line(), nil},
		"certificate unfit":         {"@cert-authority * " + authority.line(), []string{"not valid"}},
		"known, authority revoked":  {"@revoked * " + authority.line() + "\n@cert-authority * " + authority.line() + "\n" + at + hostKey.line(), []string{"revoked"}},
		"known, another authority":  {"@cert-authority * " + old.line() + "\n" + at + hostKey.line(), nil},
		"authority without a match": {"@cert-authority other " + authority.line(), []string{"not known"}},
	} {
		t.Run(name, func(t *testing.T) {
			target := targetOf(s)
			target.KnownHosts = writeFile(t, "known_hosts", c.known+"\n")
			conn, err := ssh.Dial(context.Background(), target, bare(t))
			if c.words != nil {
				wantAuthError(t, err, c.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}

// Where there is an authority, a host without a certificate may be one that was
// forgotten.
func TestHostWithoutACertificate(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	target := targetOf(s)
	target.KnownHosts = writeFile(t, "known_hosts", "@cert-authority * "+newKey(t).line()+"\n")
	_, err := ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, "not known", "no certificate of the @cert-authority")
}

func TestKnownHostsUnreadable(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	target := targetOf(s)
	target.KnownHosts = t.TempDir() // a directory
	_, err := ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, "reading known host keys")
}

func TestTypicalFilesAreRead(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	target, o := targetOf(s), bare(t)
	text, err := os.ReadFile(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	target.KnownHosts = ""
	if err := os.Mkdir(o.Home+"/.ssh", 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = ssh.Dial(context.Background(), target, o)
	e := wantAuthError(t, err, "not known")
	wantWords(t, e.Fix, ">> "+o.Home+"/.ssh/known_hosts")
	if err := os.WriteFile(o.Home+"/.ssh/known_hosts", []byte(strings.TrimSpace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	dial(t, target, o)
}
