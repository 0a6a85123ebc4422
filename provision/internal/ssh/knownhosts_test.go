package ssh

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func testKey(t *testing.T, n byte) ssh.PublicKey {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	k, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed).Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var knownNames = []string{
	"node-1", "node-1.example.net", "node-12", "10.90.0.11", "[10.90.0.11]:2222", "[node-1]:2222", "NODE-1", "fd00::1", "[fd00::1]:2222",
}

var knownPatterns = []string{
	"node-1", "node-1,10.90.0.11", "node-*", "node-?", "*.example.net", "*", "!node-1,node-*", "10.90.0.*", "[10.90.0.11]:2222",
	"[node-1]:2222", "fd00::1", "*e*1*", "**", "node-1*", "?ode-1?", knownhosts.HashHostname("node-1"), knownhosts.HashHostname("[node-1]:2222"),
}

// What ssh-keygen -F finds in a file is what is found here. The two tools know
// nothing of each other.
func TestMatchesAsOpenSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("needs ssh-keygen (apt-get install openssh-client)")
	}
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(testKey(t, 1))))
	for i, pattern := range knownPatterns {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.WriteFile(file, []byte(pattern+" "+key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		known, err := readKnownHosts([]string{file}, os.ReadFile)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range knownNames {
			err := exec.Command("ssh-keygen", "-F", name, "-f", file).Run()
			var no *exec.ExitError
			if err != nil && !errors.As(err, &no) {
				t.Fatal(err)
			}
			if theirs, ours := err == nil, len(known.keysOf([]string{name})) > 0; theirs != ours {
				t.Errorf("%s in %q: ssh-keygen %v, we %v", name, pattern, theirs, ours)
			}
		}
	}
}

func TestWithoutPort(t *testing.T) {
	for in, want := range map[string]string{"node-1": "node-1", "[node-1]:22222": "node-1", "[fd00::1]:2222": "fd00::1", "fd00::1": "fd00::1"} {
		if got := withoutPort(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	h := &hop{keyNames: []string{"node-1"}}
	file := filepath.Join(t.TempDir(), "known_hosts")
	rsa := "AAAAB3NzaC1yc2EAAAADAQABAAAAgQDAs7pSmRL1BoMHn2xLhZ7HP2GV5ZKLEa/R3Q0pMn4sVIBSHdkMOKzK2bN3lWYpPYZVGaRSVLtA8eG4zJjCVvUk2tBSDeFeq1QVXzcJZQgVxk4XKuTsWbhGHNSQR0LBwSUxqaGH1bk4zDTBkX3UTE2fYgbKCmpZ7dqVHdZQ0nP4nQ=="
	text := "node-1 ssh-rsa " + rsa + "\nnode-1 " + string(ssh.MarshalAuthorizedKey(testKey(t, 1)))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.knownHosts = []string{file}
	known, err := trustOf(context.Background(), h, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(known.algorithms(), " "); got != "rsa-sha2-512 rsa-sha2-256 ssh-ed25519" {
		t.Errorf("%s", got)
	}
	h.keyNames = []string{"stranger"}
	if known, err = trustOf(context.Background(), h, Options{}); err != nil || strings.Contains(strings.Join(known.algorithms(), " "), "cert") {
		t.Errorf("%v %v: nobody can check a stranger's certificate", known.algorithms(), err)
	}
}

func TestConfigLine(t *testing.T) {
	for line, want := range map[string]string{
		"":                        "",
		"  # comment":             "",
		"User ops":                "user|ops",
		"\tUser=ops":              "user|ops",
		"User = ops # comment":    "user|ops",
		`IdentityFile "/a b/c" d`: "identityfile|/a b/c|d",
		"Host a  b\t!c":           "host|a|b|!c",
		"User":                    "user",
	} {
		key, args, err := configLine(line)
		if got := strings.Join(append([]string{key}, args...), "|"); got != want || err != nil {
			t.Errorf("%q: %q %v", line, got, err)
		}
	}
}

// BenchmarkHashedKnownHosts looks up one host of a thousand in a file that tells all
// their names as hashes.
func BenchmarkHashedKnownHosts(b *testing.B) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		b.Fatal(err)
	}
	var file strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&file, "%s %s", knownhosts.HashHostname(fmt.Sprintf("node-%d", n)), ssh.MarshalAuthorizedKey(key))
	}
	known, err := readKnownHosts([]string{"f"}, func(string) ([]byte, error) { return []byte(file.String()), nil })
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if len(known.keysOf([]string{"node-999", "10.0.0.1"})) != 1 {
			b.Fatal("not found")
		}
	}
}
