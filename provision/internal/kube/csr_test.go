package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	certsv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var known = map[string]Addresses{
	"kube-node-1": {Names: []string{"kube-node-1.example.net"}, IPs: []netip.Addr{netip.MustParseAddr("10.90.0.21")}},
	"kube-node-2": {IPs: []netip.Addr{netip.MustParseAddr("10.90.0.22")}},
}

// request is the certificate request of a well-behaved kubelet, after change.
func request(t *testing.T, node string, change func(*x509.CertificateRequest)) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}},
		DNSNames: []string{node},
	}
	for _, ip := range known[node].IPs {
		template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func serving(request []byte) certsv1.CertificateSigningRequest {
	return certsv1.CertificateSigningRequest{Spec: certsv1.CertificateSigningRequestSpec{
		SignerName: certsv1.KubeletServingSignerName, Request: request,
		Username: "system:node:kube-node-1", Groups: []string{"system:authenticated", "system:nodes"},
		Usages: []certsv1.KeyUsage{certsv1.UsageDigitalSignature, certsv1.UsageServerAuth},
	}}
}

func TestCheckServing(t *testing.T) {
	subject := func(f func(*x509.CertificateRequest)) func(*certsv1.CertificateSigningRequest) {
		return func(r *certsv1.CertificateSigningRequest) { r.Spec.Request = request(t, "kube-node-1", f) }
	}
	for _, test := range []struct {
		name   string
		change func(*certsv1.CertificateSigningRequest)
		why    string // empty: approved
	}{
		{"a kubelet's", func(*certsv1.CertificateSigningRequest) {}, ""},
		{"with RSA's usage", func(r *certsv1.CertificateSigningRequest) {
			r.Spec.Usages = append(r.Spec.Usages, certsv1.UsageKeyEncipherment)
		}, ""},
		{"with its known name", subject(func(c *x509.CertificateRequest) { c.DNSNames = append(c.DNSNames, "kube-node-1.example.net") }), ""},
		{"with its address alone", subject(func(c *x509.CertificateRequest) { c.DNSNames = nil }), ""},
		{"of a person", func(r *certsv1.CertificateSigningRequest) { r.Spec.Username = "admin" }, "not asked by a kubelet"},
		{"of another group", func(r *certsv1.CertificateSigningRequest) { r.Spec.Groups = []string{"system:masters"} }, "outside the group"},
		{"of a stranger", func(r *certsv1.CertificateSigningRequest) { r.Spec.Username = "system:node:stranger" }, "stranger is not a host of the inventory"},
		{"for another host", func(r *certsv1.CertificateSigningRequest) { r.Spec.Username = "system:node:kube-node-2" }, "is for"},
		{"with another organization too", subject(func(c *x509.CertificateRequest) {
			c.Subject.Organization = append(c.Subject.Organization, "system:masters")
		}), "system:masters"},
		{"with a foreign name", subject(func(c *x509.CertificateRequest) { c.DNSNames = []string{"kubernetes.default"} }), `"kubernetes.default" is not known`},
		{"with a foreign address", subject(func(c *x509.CertificateRequest) { c.IPAddresses = []net.IP{net.IPv4(10, 90, 0, 22)} }), "10.90.0.22 is not known"},
		{"with a URI", subject(func(c *x509.CertificateRequest) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}} }), "URIs"},
		{"with no address", subject(func(c *x509.CertificateRequest) { c.DNSNames, c.IPAddresses = nil, nil }), "names no address"},
		{"for a client", func(r *certsv1.CertificateSigningRequest) {
			r.Spec.Usages = []certsv1.KeyUsage{certsv1.UsageDigitalSignature, certsv1.UsageClientAuth}
		}, "client auth"},
		{"for signing nothing", func(r *certsv1.CertificateSigningRequest) {
			r.Spec.Usages = []certsv1.KeyUsage{certsv1.UsageServerAuth}
		}, "digital signature"},
		{"twice in one", func(r *certsv1.CertificateSigningRequest) {
			r.Spec.Request = append(r.Spec.Request, r.Spec.Request...)
		}, "no single"},
		{"that is no request", func(r *certsv1.CertificateSigningRequest) { r.Spec.Request = []byte("hello") }, "no single"},
		{"not signed by its key", func(r *certsv1.CertificateSigningRequest) {
			block, _ := pem.Decode(r.Spec.Request)
			block.Bytes[len(block.Bytes)-1] ^= 1
			r.Spec.Request = pem.EncodeToMemory(block)
		}, "not signed by its own key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := serving(request(t, "kube-node-1", nil))
			test.change(&r)
			node, err := checkServing(r, known)
			switch {
			case test.why == "" && (err != nil || node != "kube-node-1"):
				t.Errorf("refused: %v", err)
			case test.why != "" && (err == nil || !strings.Contains(err.Error(), test.why)):
				t.Errorf("got %v, want %q", err, test.why)
			}
		})
	}
}

func TestCheckJoin(t *testing.T) {
	joins := map[string]string{"abcdef": "kube-node-1"}
	join := func(token, node string, change func(*x509.CertificateRequest)) certsv1.CertificateSigningRequest {
		return certsv1.CertificateSigningRequest{Spec: certsv1.CertificateSigningRequestSpec{
			Username: "system:bootstrap:" + token, Groups: []string{JoinGroup},
			Usages:  []certsv1.KeyUsage{certsv1.UsageDigitalSignature, certsv1.UsageClientAuth},
			Request: request(t, node, change),
		}}
	}
	bare := func(c *x509.CertificateRequest) { c.DNSNames, c.IPAddresses = nil, nil }
	if node, err := checkJoin(join("abcdef", "kube-node-1", bare), joins); err != nil || node != "kube-node-1" {
		t.Errorf("refused: %v", err)
	}
	for why, r := range map[string]certsv1.CertificateSigningRequest{
		"is for":          join("abcdef", "kube-node-2", bare), // a token becomes no other node
		"is not one":      join("zzzzzz", "kube-node-1", bare),
		"no addresses":    join("abcdef", "kube-node-1", nil),
		"bootstrap token": serving(request(t, "kube-node-1", bare)),
	} {
		if _, err := checkJoin(r, joins); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want %q", err, why)
		}
	}
}

// ask makes a request at the real API as a client with a certificate.
func ask(t *testing.T, user, group, name, signer string, purpose certsv1.KeyUsage, pem []byte) {
	t.Helper()
	pair, err := server.User(user, group)
	if err != nil {
		t.Fatal(err)
	}
	_, err = connect(t, pair).typed.CertificatesV1().CertificateSigningRequests().Create(t.Context(),
		&certsv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: certsv1.CertificateSigningRequestSpec{SignerName: signer, Request: pem,
				Usages: []certsv1.KeyUsage{certsv1.UsageDigitalSignature, purpose}},
		}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestApproveServing(t *testing.T) {
	c := admin(t)
	const signer = certsv1.KubeletServingSignerName
	ask(t, "system:node:kube-node-1", "system:nodes", "good", signer, certsv1.UsageServerAuth, request(t, "kube-node-1", nil))
	ask(t, "system:node:stranger", "system:nodes", "stranger", signer, certsv1.UsageServerAuth, request(t, "stranger", nil))
	ask(t, "mallory", "system:masters", "stolen", signer, certsv1.UsageServerAuth, request(t, "kube-node-2", nil))

	for round := range 2 {
		approved, refused, err := c.ApproveServing(t.Context(), known)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"kube-node-1"}
		if round == 1 {
			want = nil // it is decided
		}
		if !slices.Equal(approved, want) {
			t.Errorf("round %d approved %q", round, approved)
		}
		if len(refused) != 2 || refused[0].Request != "stolen" || refused[1].User != "system:node:stranger" {
			t.Errorf("refused %v", refused)
		}
	}
	list, err := c.typed.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list.Items {
		if got, want := decided(r), r.Name == "good"; got != want {
			t.Errorf("%s: decided is %v", r.Name, got)
		}
	}
}

// clientRequest is what a kubelet asks for when it joins.
func clientRequest(t *testing.T, node string) []byte {
	return request(t, node, func(c *x509.CertificateRequest) { c.DNSNames, c.IPAddresses = nil, nil })
}

// What is withdrawn is a kubelet's own request that no token of today can answer.
func TestLeftOver(t *testing.T) {
	by := func(user, node string) certsv1.CertificateSigningRequest {
		return certsv1.CertificateSigningRequest{Spec: certsv1.CertificateSigningRequestSpec{
			Username: user, Request: request(t, node, nil),
		}}
	}
	for name, test := range map[string]struct {
		request certsv1.CertificateSigningRequest
		want    bool
	}{
		"of a run that was killed": {by("system:bootstrap:aaaaaa", "kube-node-1"), true},
		"of this run":              {by("system:bootstrap:bbbbbb", "kube-node-1"), false},
		"of another node":          {by("system:bootstrap:aaaaaa", "kube-node-2"), false},
		"a renewal":                {by("system:node:kube-node-1", "kube-node-1"), false},
		"not readable": {certsv1.CertificateSigningRequest{Spec: certsv1.CertificateSigningRequestSpec{
			Username: "system:bootstrap:aaaaaa", Request: []byte("x")}}, false},
	} {
		if got := leftOver(test.request, "kube-node-1", "bbbbbb"); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
