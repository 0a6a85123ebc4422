package ssh_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

const sudoPassword = "sudo-s3cret"

// bare are options that see nothing of the machine the tests run on.
func bare(t *testing.T) ssh.Options {
	t.Helper()
	return ssh.Options{Home: t.TempDir(), ConfigFiles: []string{}, AgentSocket: "none"}
}

// targetOf is a target with everything that is needed to reach a server.
func targetOf(s *hosttest.Server) ssh.Target {
	return ssh.Target{Name: "node-1", Address: s.Address, Port: s.Port, User: "root", KnownHosts: s.KnownHosts, IdentityFile: s.KeyFile}
}

func dial(t *testing.T, target ssh.Target, o ssh.Options) *ssh.Conn {
	t.Helper()
	c, err := ssh.Dial(context.Background(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func served(t *testing.T, conf hosttest.Config) (*hosttest.Host, *hosttest.Server) {
	t.Helper()
	h := hosttest.New(t, "node-1")
	return h, hosttest.Serve(t, h, conf)
}

func run(argv ...string) host.Cmd { return host.Cmd{Argv: argv} }

func wantAuthError(t *testing.T, err error, words ...string) *host.AuthError {
	t.Helper()
	var e *host.AuthError
	if !errors.As(err, &e) {
		t.Fatalf("error %T %v, want an AuthError", err, err)
	}
	wantWords(t, err.Error(), words...)
	return e
}

func wantUnreachable(t *testing.T, err error, words ...string) {
	t.Helper()
	var e *host.UnreachableError
	if !errors.As(err, &e) {
		t.Fatalf("error %T %v, want an UnreachableError", err, err)
	}
	wantWords(t, err.Error(), words...)
}

func wantWords(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

// key is a key pair for tests.
type key struct {
	signer  xssh.Signer
	private ed25519.PrivateKey
}

func newKey(t *testing.T) key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key{signer, private}
}

func (k key) public() xssh.PublicKey { return k.signer.PublicKey() }

// line is the public key as in authorized_keys, without a newline.
func (k key) line() string {
	return strings.TrimSpace(string(xssh.MarshalAuthorizedKey(k.public())))
}

// file writes the private key.
func (k key) file(t *testing.T) string {
	t.Helper()
	block, err := xssh.MarshalPrivateKey(k.private, "")
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "id", string(pem.EncodeToMemory(block)))
}

// encrypted makes a key pair whose file has a passphrase. ssh-keygen does it in
// one round; x/crypto's sixteen take seconds on a busy machine.
func encrypted(t *testing.T, passphrase string) (k key, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "id")
	if text, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", passphrase, "-f", file).CombinedOutput(); err != nil {
		t.Skipf("needs ssh-keygen (apt-get install openssh-client): %v %s", err, text)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	private, err := xssh.ParseRawPrivateKeyWithPassphrase(text, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	k.private = *private.(*ed25519.PrivateKey)
	if k.signer, err = xssh.NewSignerFromKey(k.private); err != nil {
		t.Fatal(err)
	}
	return k, file
}

// encryptedPEM is encrypted in the format of before 2018.
func encryptedPEM(t *testing.T, passphrase string) (public xssh.PublicKey, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "id")
	if text, err := exec.Command("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", passphrase, "-f", file).CombinedOutput(); err != nil {
		t.Skipf("needs ssh-keygen (apt-get install openssh-client): %v %s", err, text)
	}
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if public, _, _, _, err = xssh.ParseAuthorizedKey(text); err != nil {
		t.Fatal(err)
	}
	return public, file
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
