package puppetdbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a PuppetDB.
type Server struct {
	URL string
	// Files of a certificate that is let in, its key, and the authority; "" of a plain one.
	Cert, Key, CA string

	mu      sync.Mutex
	nodes   []Node
	trouble Trouble
	asked   []string // entities, in the order of the questions
	quit    chan struct{}
}

// Trouble is what goes wrong. The zero value is nothing.
type Trouble struct {
	Entity string // of which; all when empty
	Status int    // it refuses
	Cut    bool   // it ends in the middle of its answer, with the status of success
	Hang   bool   // it never answers
	Raw    string // it answers with this
}

// Serve runs a PuppetDB with TLS that wants a certificate until the test ends.
func Serve(tb testing.TB, nodes ...Node) *Server {
	tb.Helper()
	s := newServer(nodes)
	dir := tb.TempDir()
	ca, caKey := certificate(tb, "Puppet CA: puppet.example.net", nil, nil)
	serving, servingKey := certificate(tb, "puppetdb.example.net", ca, caKey)
	shown, shownKey := certificate(tb, "admin.example.net", ca, caKey)
	s.CA = write(tb, dir, "ca.pem", "CERTIFICATE", ca.Raw)
	s.Cert = write(tb, dir, "admin.pem", "CERTIFICATE", shown.Raw)
	s.Key = writeKey(tb, dir, "admin.key", shownKey)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	web := httptest.NewUnstartedServer(s)
	web.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		Certificates: []tls.Certificate{{Certificate: [][]byte{serving.Raw}, PrivateKey: servingKey}},
	}
	web.StartTLS()
	s.start(tb, web)
	return s
}

// ServePlain runs one without TLS, on the loopback.
func ServePlain(tb testing.TB, nodes ...Node) *Server {
	tb.Helper()
	s := newServer(nodes)
	s.start(tb, httptest.NewServer(s))
	return s
}

func newServer(nodes []Node) *Server { return &Server{nodes: nodes, quit: make(chan struct{})} }

func (s *Server) start(tb testing.TB, web *httptest.Server) {
	s.URL = web.URL
	tb.Cleanup(func() {
		close(s.quit)
		web.Close()
	})
}

// Stranger makes a certificate of another authority.
func (s *Server) Stranger(tb testing.TB) (cert, key string) {
	tb.Helper()
	dir := tb.TempDir()
	c, k := certificate(tb, "admin.example.net", nil, nil)
	return write(tb, dir, "stranger.pem", "CERTIFICATE", c.Raw), writeKey(tb, dir, "stranger.key", k)
}

// Set replaces the nodes.
func (s *Server) Set(nodes ...Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = nodes
}

// Make has it make trouble from now on.
func (s *Server) Make(t Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = t
}

// Asked are the entities that were asked for.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// ServeHTTP answers a query that is sent by POST, as JSON.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	entity, ok := strings.CutPrefix(r.URL.Path, "/pdb/query/v4/")
	if _, known := entities[entity]; !ok || !known {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, entity)
	nodes, trouble := s.nodes, s.trouble
	s.mu.Unlock()
	if trouble.Entity != "" && trouble.Entity != entity {
		trouble = Trouble{}
	}
	rows, err := answer(entity, r, nodes)
	switch {
	case trouble.Hang:
		select {
		case <-s.quit:
		case <-r.Context().Done():
		}
		return
	case trouble.Status != 0:
		http.Error(w, "something is wrong here", trouble.Status)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, err := json.Marshal(rows)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if trouble.Cut {
		text = text[:len(text)*2/3]
	}
	if trouble.Raw != "" {
		text = []byte(trouble.Raw)
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_, _ = w.Write(text)
}

func answer(entity string, r *http.Request, nodes []Node) ([]any, error) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.URL.RawQuery != "" {
		return nil, fmt.Errorf("%s %s with %q: queries are sent by POST, as JSON", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	for name := range body {
		if name != "query" {
			return nil, fmt.Errorf("unsupported query parameter '%s'", name)
		}
	}
	q, err := parse(entity, body["query"])
	if err != nil {
		return nil, err
	}
	rows := []any{}
	for _, n := range nodes {
		row := n.inventory()
		if entity == "nodes" {
			row = n.status()
		} else if n.FactsAt.IsZero() {
			continue // it has sent none
		}
		if q.wants(n.active()) && q.where(row) {
			rows = append(rows, q.project(row))
		}
	}
	return rows, nil
}

// certificate makes one of an authority, or an authority.
func certificate(tb testing.TB, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		tb.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ca == nil {
		ca, caKey, c.IsCA, c.DNSNames, c.KeyUsage = c, key, true, nil, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, caKey)
	if err != nil {
		tb.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return made, key
}

func writeKey(tb testing.TB, dir, name string, key *ecdsa.PrivateKey) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return write(tb, dir, name, "PRIVATE KEY", der)
}

func write(tb testing.TB, dir, name, kind string, der []byte) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
