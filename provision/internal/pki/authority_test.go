package pki

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 12, 3, 10, 0, 0, 0, time.UTC)

func newCA(t *testing.T, name string, validity time.Duration) Authority {
	t.Helper()
	ca, err := NewCA(name, now, validity)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t *testing.T, ca Authority, l Leaf, at time.Time) (cert, key []byte) {
	t.Helper()
	cert, key, err := ca.Issue(l, at)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func verify(t *testing.T, ca Authority, cert []byte, o x509.VerifyOptions) error {
	t.Helper()
	c, err := ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	o.Roots = x509.NewCertPool()
	o.Roots.AddCert(ca.Cert)
	_, err = c.Verify(o)
	return err
}

func TestIssuedCertificatesVerify(t *testing.T) {
	cas := map[CAName]Authority{}
	for _, ca := range CAs() {
		made := newCA(t, ca.CommonName, CAValidity)
		key, err := made.Key.PEM()
		if err != nil {
			t.Fatal(err)
		}
		read, err := ParseAuthority(made.CertPEM(), key)
		if err != nil {
			t.Fatal(err)
		}
		cas[ca.Name] = read
	}
	cluster := Cluster{ServiceIP: netip.MustParseAddr("10.101.0.1"), Endpoint: "k8s.example.net"}
	host := Host{Name: "kube-master-1", Address: netip.MustParseAddr("10.90.0.11")}
	for _, c := range MasterCertificates(cluster, host) {
		cert, key := issue(t, cas[c.CA], c.Leaf, now)
		for _, u := range []Usage{Server, Client} {
			wanted := contains(c.Leaf.Usages, u)
			for name, ca := range cas {
				err := verify(t, ca, cert, x509.VerifyOptions{CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{extUsages[u]}})
				if ok := wanted && name == c.CA; (err == nil) != ok {
					t.Errorf("%s as %s under %s: %v", c.Name, u, name, err)
				}
			}
		}
		for _, name := range c.Leaf.DNSNames {
			if err := verify(t, cas[c.CA], cert, x509.VerifyOptions{CurrentTime: now, DNSName: name, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				t.Errorf("%s for %s: %v", c.Name, name, err)
			}
		}
		for _, ip := range c.Leaf.IPs {
			if err := verify(t, cas[c.CA], cert, x509.VerifyOptions{CurrentTime: now, DNSName: ip.String(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				t.Errorf("%s for %s: %v", c.Name, ip, err)
			}
		}
		k, err := ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if parsed, _ := ParseCertificate(cert); !k.Fits(parsed) {
			t.Errorf("%s: the key does not fit", c.Name)
		}
	}
}

func contains(us []Usage, u Usage) bool {
	for _, x := range us {
		if x == u {
			return true
		}
	}
	return false
}

func TestLeafLivesWithinItsCA(t *testing.T) {
	ca := newCA(t, "short", 48*time.Hour)
	cert, _ := issue(t, ca, OperatorLeaf("ops"), now.Add(47*time.Hour))
	d, err := Describe(cert)
	if err != nil {
		t.Fatal(err)
	}
	if !d.NotAfter.Equal(ca.Cert.NotAfter) {
		t.Errorf("ends %s, its CA %s", d.NotAfter, ca.Cert.NotAfter)
	}
	early, _ := issue(t, ca, OperatorLeaf("ops"), now.Add(-time.Hour))
	if d, _ = Describe(early); d.NotBefore.Before(ca.Cert.NotBefore) {
		t.Errorf("begins %s, before its CA at %s", d.NotBefore, ca.Cert.NotBefore)
	}
	if _, _, err := ca.Issue(OperatorLeaf("ops"), now.Add(48*time.Hour)); err == nil || !strings.Contains(err.Error(), "ended on 2026-12-05") {
		t.Errorf("issued by an ended CA: %v", err)
	}
}

func TestIssueRefuses(t *testing.T) {
	ca := newCA(t, "kubernetes", CAValidity)
	for name, l := range map[string]Leaf{
		"a common name": {Usages: []Usage{Client}, Validity: time.Hour},
		"a validity of": {CommonName: "x", Usages: []Usage{Client}},
		"neither for":   {CommonName: "x", Validity: time.Hour},
		"no usage":      {CommonName: "x", Validity: time.Hour, Usages: []Usage{"signing"}},
	} {
		if _, _, err := ca.Issue(l, now); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want %q", l, err, name)
		}
	}
	if _, _, err := (Authority{}).Issue(OperatorLeaf("x"), now); err == nil {
		t.Error("an empty authority issued")
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	a, b := newCA(t, "a", CAValidity), newCA(t, "b", CAValidity)
	keyA, _ := a.Key.PEM()
	keyB, _ := b.Key.PEM()
	leafCert, leafKey := issue(t, a, OperatorLeaf("ops"), now)
	damaged := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("not a key")})
	for _, c := range []struct {
		name      string
		cert, key []byte
		want      string
	}{
		{"another's key", a.CertPEM(), keyB, "does not belong"},
		{"a leaf", leafCert, leafKey, "is not a CA"},
		{"no certificate", nil, keyA, "no certificate"},
		{"no key", a.CertPEM(), a.CertPEM(), "no private key"},
		{"a damaged key", a.CertPEM(), damaged, "damaged"},
	} {
		if _, err := ParseAuthority(c.cert, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// No way of printing or encoding may give a key away, nor a part of it.
func TestNoOutputShowsAKey(t *testing.T) {
	ca := newCA(t, "kubernetes", CAValidity)
	raw, err := ca.Key.private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d := new(big.Int).SetBytes(raw)
	text, _ := ca.Key.PEM()
	body := strings.Split(string(text), "\n")[1]
	enc, err := NewEncryptionKey()
	if err != nil {
		t.Fatal(err)
	}
	file, err := EncryptionConfig(enc)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(strings.Split(strings.Split(string(file), "secret: ")[1], "\n")[0])
	kc := Kubeconfig{Cluster: "c", Server: "s", User: "u", CA: ca.CertPEM(), Cert: ca.CertPEM(), Key: text, Token: "abcdef.0123456789abcdef"}
	words := []string{d.String(), d.Text(16), strings.ToUpper(d.Text(16)), body, secret, fmt.Sprint([]byte(secret)), fmt.Sprint(raw), "abcdef.0123456789abcdef"}
	for _, v := range []any{
		ca, &ca, ca.Key, &ca.Key, []Authority{ca}, map[string]Authority{"x": ca}, struct{ a Authority }{ca}, struct{ k Key }{ca.Key},
		enc, &enc, struct{ k EncryptionKey }{enc}, kc, &kc, []Kubeconfig{kc},
	} {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(j)
		for _, w := range words {
			if strings.Contains(out.String(), w) {
				t.Errorf("%T shows a secret", v)
			}
		}
	}
}
