package etcdtest

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Member is one etcd of a cluster.
type Member struct {
	Name       string
	URL, Peer  string // https://127.0.0.1:…
	Dir        string
	*Process   // nil until started
	ca         *CA
	clientPair Pair
}

// NewMember prepares a member: ports and certificates, nothing running.
func NewMember(dir, name string, ca *CA) (*Member, error) {
	m := &Member{Name: name, Dir: filepath.Join(dir, name), ca: ca}
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return nil, err
	}
	pair, err := ca.Issue(pkix.Name{CommonName: name}, "localhost")
	if err != nil {
		return nil, err
	}
	m.clientPair = pair
	for file, content := range map[string][]byte{"ca.crt": ca.PEM, "tls.crt": pair.Cert, "tls.key": pair.Key} {
		if err := os.WriteFile(m.File(file), content, 0o600); err != nil {
			return nil, err
		}
	}
	for _, url := range []*string{&m.URL, &m.Peer} {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		*url = fmt.Sprintf("https://127.0.0.1:%d", port)
	}
	return m, nil
}

// File is a file of the member: "ca.crt", "tls.crt" or "tls.key".
func (m *Member) File(name string) string { return filepath.Join(m.Dir, name) }

// Start runs the member as one of a cluster; state is "new" or "existing".
func (m *Member) Start(binary, state string, cluster ...*Member) error {
	var initial []string
	for _, p := range cluster {
		initial = append(initial, p.Name+"="+p.Peer)
	}
	p, err := StartProcess(m.Dir, binary,
		"--name="+m.Name, "--data-dir="+filepath.Join(m.Dir, "data"),
		"--listen-client-urls="+m.URL, "--advertise-client-urls="+m.URL,
		"--listen-peer-urls="+m.Peer, "--initial-advertise-peer-urls="+m.Peer,
		"--initial-cluster="+strings.Join(initial, ","), "--initial-cluster-state="+state,
		"--client-cert-auth", "--trusted-ca-file="+m.File("ca.crt"), "--cert-file="+m.File("tls.crt"), "--key-file="+m.File("tls.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file="+m.File("ca.crt"), "--peer-cert-file="+m.File("tls.crt"), "--peer-key-file="+m.File("tls.key"),
		// Tests read nothing after a crash, and share two cores.
		"--unsafe-no-fsync", "--heartbeat-interval=100", "--election-timeout=1000", "--logger=zap", "--log-level=warn")
	m.Process = p
	return err
}

// Ready waits until the member serves clients.
func (m *Member) Ready() error {
	pair, err := tls.X509KeyPair(m.clientPair.Cert, m.clientPair.Key)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(m.ca.PEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	return m.WaitFor("etcd "+m.Name+" to be ready", func() bool {
		r, err := client.Get(m.URL + "/health")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}
