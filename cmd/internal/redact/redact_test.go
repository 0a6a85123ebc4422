package redact

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

func privateKey(t *testing.T) string {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Whatever form a secret came in.
func TestSecretsAreTakenOut(t *testing.T) {
	var c Cleaner
	const password = `hunter2 isn't "good"`
	c.Hide(password)
	c.Hide("first-line-of-two\nsecond-line-of-two\n")
	c.Hide("")
	random := make([]byte, 32)
	rand.Read(random)
	encryption := base64.StdEncoding.EncodeToString(random)
	pem := privateKey(t)
	body := strings.Repeat("Zm9vYmFy", 8)
	for _, secret := range []string{
		password, `hunter2 isn'\''t "good"`, fmt.Sprintf("%q", password), base64.StdEncoding.EncodeToString([]byte(password)),
		"second-line-of-two", encryption, pem, strings.TrimSuffix(pem, "\n"), pem[:60], "abcdef.0123456789abcdef", body,
	} {
		text := "sh: line 3: " + secret + ": not found"
		if got := c.Clean(text); strings.Contains(got, strings.Trim(secret, `"`)) || !strings.HasPrefix(got, "sh: line 3: ") {
			t.Errorf("%q is still in %q", secret, got)
		}
	}
}

// What is no secret stays readable.
func TestTheRestStays(t *testing.T) {
	var c Cleaner
	c.Hide("s3cret")
	for _, text := range []string{
		"sha256 is " + strings.Repeat("0f", 32) + ", not " + strings.Repeat("ab", 32),
		"known_hosts has ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9Nl1JkQkXv0sWv2k2l4fQdOa7d7b1t0Hq8m2o1x2y",
		"its key is SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYpBOAhMdXyxWqPwY",
		"/opt/drover/kubernetes/1.37.2/kubelet is not there", "kube-node-1.prod.example.net: 10.90.0.21:6443", "",
	} {
		if got := c.Clean(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
