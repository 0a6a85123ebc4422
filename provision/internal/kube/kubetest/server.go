package kubetest

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/droverctl/drover/provision/internal/etcd/etcdtest"
)

// Server is a kube-apiserver with its etcd.
type Server struct {
	URL   string
	CA    []byte        // PEM: of its certificate, and of its clients'
	Admin etcdtest.Pair // a client of the group system:masters
	ca    *etcdtest.CA
	etcd  *etcdtest.Member
	api   *etcdtest.Process
}

// Find says where the binaries are; when they are not, the error says so.
func Find() (etcd, apiserver string, err error) {
	if etcd, err = etcdtest.Find("etcd", "etcd"); err != nil {
		return "", "", err
	}
	apiserver, err = etcdtest.Find("kubernetes", "kube-apiserver")
	return etcd, apiserver, err
}

// Start starts both in dir. Stop must be called in any case.
func Start(dir, etcd, apiserver string) (*Server, error) {
	ca, err := etcdtest.NewCA("test")
	if err != nil {
		return nil, err
	}
	s := &Server{CA: ca.PEM, ca: ca}
	if s.etcd, err = etcdtest.NewMember(dir, "etcd", ca); err != nil {
		return s, err
	}
	if err := s.etcd.Start(etcd, "new", s.etcd); err != nil {
		return s, err
	}
	if s.Admin, err = s.User("admin", "system:masters"); err != nil {
		return s, err
	}
	port, err := etcdtest.FreePort()
	if err != nil {
		return s, err
	}
	s.URL = fmt.Sprintf("https://127.0.0.1:%d", port)
	if err := s.etcd.Ready(); err != nil {
		return s, err
	}
	if err := s.startAPI(dir, apiserver, port); err != nil {
		return s, err
	}
	return s, s.ready()
}

// User makes a client's certificate.
func (s *Server) User(name string, groups ...string) (etcdtest.Pair, error) {
	return s.ca.Issue(pkix.Name{CommonName: name, Organization: groups})
}

// StopEtcd takes the API server's store away, for good.
func (s *Server) StopEtcd() { s.etcd.Stop() }

// Stop ends both.
func (s *Server) Stop() {
	if s.api != nil {
		s.api.Stop()
	}
	if s.etcd != nil && s.etcd.Process != nil {
		s.etcd.Stop()
	}
}

func (s *Server) startAPI(dir, binary string, port int) error {
	serving, err := s.ca.Issue(pkix.Name{CommonName: "kube-apiserver"}, "localhost", "kubernetes")
	if err != nil {
		return err
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string][]byte{"ca.crt": s.CA, "api.crt": serving.Cert, "api.key": serving.Key} {
		if err := os.WriteFile(file(name), content, 0o600); err != nil {
			return err
		}
	}
	s.api, err = etcdtest.StartProcess(dir, binary,
		"--etcd-servers="+s.etcd.URL, "--etcd-cafile="+s.etcd.File("ca.crt"),
		"--etcd-certfile="+s.etcd.File("tls.crt"), "--etcd-keyfile="+s.etcd.File("tls.key"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file="+file("api.crt"), "--tls-private-key-file="+file("api.key"),
		"--client-ca-file="+file("ca.crt"), "--cert-dir="+dir,
		"--service-account-key-file="+file("api.key"), "--service-account-signing-key-file="+file("api.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.101.0.0/24",
		"--authorization-mode=Node,RBAC", "--enable-bootstrap-token-auth", "--allow-privileged",
		"--enable-admission-plugins=NodeRestriction",
		// Nothing makes service accounts here.
		"--disable-admission-plugins=ServiceAccount")
	return err
}

func (s *Server) ready() error {
	pair, err := tls.X509KeyPair(s.Admin.Cert, s.Admin.Key)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	err = s.api.WaitFor("kube-apiserver to be ready", func() bool {
		r, err := client.Get(s.URL + "/readyz")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	if err != nil && strings.Contains(err.Error(), "address already in use") {
		return fmt.Errorf("another process took the port: %w", err)
	}
	return err
}
