package ssh_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"testing"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

func newECDSA(t *testing.T) xssh.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// runAgent serves an ssh-agent that holds keys.
func runAgent(t *testing.T, keys ...key) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k.private}); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		os.RemoveAll(dir)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				agent.ServeAgent(ring, c)
				c.Close()
			}()
		}
	}()
	return socket
}

func TestAgent(t *testing.T) {
	good, other := newKey(t), newKey(t)
	_, s := served(t, hosttest.Config{Keys: []xssh.PublicKey{good.public()}})
	o := bare(t)
	o.AgentSocket = runAgent(t, other, good)
	dial(t, targetOf(s), o)

	target := targetOf(s)
	o.AgentSocket = runAgent(t, other)
	_, err := ssh.Dial(context.Background(), target, o)
	wantAuthError(t, err, "root is not let in", xssh.FingerprintSHA256(other.public()), "ssh-agent holds 1 keys")

	o.AgentSocket = filepath.Join(t.TempDir(), "gone")
	_, err = ssh.Dial(context.Background(), target, o)
	wantAuthError(t, err, "ssh-agent does not answer")
}

func TestWrongUserKey(t *testing.T) {
	h, s := served(t, hosttest.Config{})
	wrong := newKey(t)
	target := targetOf(s)
	target.IdentityFile = wrong.file(t)
	_, err := ssh.Dial(context.Background(), target, bare(t))
	e := wantAuthError(t, err, "root is not let in", xssh.FingerprintSHA256(wrong.public()), "no ssh-agent")
	wantWords(t, e.Fix, "root@127.0.0.1", "authorized_keys")
	if len(h.Ops()) != 0 {
		t.Error("something was run")
	}
}

func TestIdentityFileMissing(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	target := targetOf(s)
	target.IdentityFile = "/nonexistent/key"
	_, err := ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, "/nonexistent/key", "identity_file")
	if s.Connections() != 0 {
		t.Error("the host was bothered with it")
	}
	target.IdentityFile = writeFile(t, "key", "not a key")
	_, err = ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, target.IdentityFile, "no private key")
}

// Without a word about keys, ssh's default files are tried.
func TestDefaultIdentities(t *testing.T) {
	_, s := served(t, hosttest.Config{})
	target, o := targetOf(s), bare(t)
	target.IdentityFile = ""
	text, err := os.ReadFile(s.KeyFile)
	if err == nil {
		err = os.Mkdir(filepath.Join(o.Home, ".ssh"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(o.Home, ".ssh", "id_ed25519"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	dial(t, target, o)
}

func TestUserCertificate(t *testing.T) {
	authority, k := newKey(t), newKey(t)
	cert := &xssh.Certificate{Key: k.public(), CertType: xssh.UserCert, ValidPrincipals: []string{"root"}, ValidBefore: xssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority.signer); err != nil {
		t.Fatal(err)
	}
	_, s := served(t, hosttest.Config{Keys: []xssh.PublicKey{cert}})
	target := targetOf(s)
	target.IdentityFile = k.file(t)
	if err := os.WriteFile(target.IdentityFile+"-cert.pub", xssh.MarshalAuthorizedKey(cert), 0o600); err != nil {
		t.Fatal(err)
	}
	dial(t, target, bare(t))
}
