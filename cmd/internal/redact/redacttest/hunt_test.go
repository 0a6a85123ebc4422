package redacttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/droverctl/drover/provision/host"
)

func TestFormsAreFound(t *testing.T) {
	const secret = `it's "a secret" & more`
	var h Hunt
	h.Add("it", secret)
	in := func(s string) string { return "before " + s + " after" }
	asJSON, err := json.Marshal(in(secret))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		in(secret), string(asJSON), in(host.Quote(secret)), strconv.Quote(in(secret)), url.QueryEscape(in(secret)), hex.EncodeToString([]byte(in(secret))),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(in(secret))),
		base64.URLEncoding.EncodeToString([]byte("1" + in(secret))), base64.StdEncoding.EncodeToString([]byte("12" + in(secret))),
	} {
		if len(h.In(text)) == 0 {
			t.Errorf("not found in %s", text)
		}
	}
	if got := h.In(in("it's a secret")); len(got) > 0 {
		t.Errorf("found %v", got)
	}
}

// A certificate of a key holds its public half, and is no find.
func TestPublicHalvesAreNoFind(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err1 := x509.MarshalECPrivateKey(key)
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(key)
	public, err3 := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, block := range []*pem.Block{{Type: "EC PRIVATE KEY", Bytes: sec1}, {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		text := string(pem.EncodeToMemory(block))
		var h Hunt
		if n := h.AddKeys("the key", text); n == 0 {
			t.Fatalf("no line of %s", text)
		}
		for shift := range 48 { // however it is laid out in something larger
			der := append(make([]byte, shift), public...)
			if got := h.In(string(pem.EncodeToMemory(&pem.Block{Type: "THING", Bytes: der}))); len(got) > 0 {
				t.Errorf("%s: found %v", block.Type, got)
			}
		}
		if got := h.In("x" + strings.Split(text, "\n")[1]); len(got) == 0 {
			t.Errorf("%s: its first line was not found", block.Type)
		}
	}
}
