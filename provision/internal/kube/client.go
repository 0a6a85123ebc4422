package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// FieldManager is drover's name in what the API records about who set a field.
const FieldManager = "drover"

// Objects with this label, put there by our field manager, are ours to prune.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "drover"
)

// Config is how to reach one API server.
type Config struct {
	Server string // "https://10.90.0.11:6443"; its host is what Dial is asked for
	// ServerName is the name its certificate must carry, when that is not the
	// host of Server.
	ServerName string

	CA                    []byte // PEM
	ClientCert, ClientKey []byte // PEM

	// Dial opens connections; nil dials directly. Proxies of the environment are
	// never used: they know nothing of a network behind SSH.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout bounds one request; 0 is 30 seconds.
	Timeout time.Duration
	// Permit is asked before each write; nil permits all.
	Permit Permit
	// Warn is told the API's warnings (deprecations and the like); nil drops them.
	Warn func(string)
}

// Client speaks to one API server. It is safe for use from many goroutines.
type Client struct {
	dynamic   dynamic.Interface
	metadata  metadata.Interface
	typed     kubernetes.Interface
	kinds     *kinds
	transport *http.Transport
	// What is no API object is asked for plainly.
	http   *http.Client
	server string
}

// Connect makes a client. Nothing is sent before the first request.
func Connect(c Config) (*Client, error) {
	if u, err := url.Parse(c.Server); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("kube: server %q is not an https URL", c.Server)
	}
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 10 * time.Second,
		DialContext:         c.Dial,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     90 * time.Second,
		// A connection that died inside a tunnel is noticed, not waited for.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	config := &rest.Config{
		Host:      c.Server,
		UserAgent: FieldManager,
		QPS:       -1, // the API's own priority and fairness is limit enough
		WarningHandler: warnings(func(text string) {
			if c.Warn != nil {
				c.Warn(text)
			}
		}),
	}
	wrapped, err := rest.HTTPWrappersForConfig(config, transport)
	if err != nil {
		return nil, fmt.Errorf("kube: %w", err)
	}
	if c.Permit != nil {
		wrapped = permitted{wrapped, c.Permit}
	}
	return clients(config, &http.Client{Transport: wrapped, Timeout: c.Timeout}, transport)
}

// clients makes the kinds of clients there are over one connection.
func clients(config *rest.Config, h *http.Client, transport *http.Transport) (*Client, error) {
	dyn, err1 := dynamic.NewForConfigAndClient(dynamic.ConfigFor(config), h)
	meta, err2 := metadata.NewForConfigAndClient(metadata.ConfigFor(config), h)
	typed, err3 := kubernetes.NewForConfigAndClient(config, h)
	disc, err4 := discovery.NewDiscoveryClientForConfigAndClient(config, h)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, fmt.Errorf("kube: %w", err)
	}
	return &Client{
		dynamic: dyn, metadata: meta, typed: typed,
		kinds:     &kinds{discovery: disc},
		transport: transport,
		http:      h, server: strings.TrimSuffix(config.Host, "/"),
	}, nil
}

// Close ends the connections that are idle.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func (c Config) tls() (*tls.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CA) {
		return nil, errors.New("kube: the CA holds no certificate")
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: c.ServerName}
	if len(c.ClientCert) == 0 && len(c.ClientKey) == 0 {
		return out, nil
	}
	pair, err := tls.X509KeyPair(c.ClientCert, c.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("kube: client certificate: %w", err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// warnings hands the API's warnings on instead of printing them.
type warnings func(string)

// HandleWarningHeader is called by client-go for each warning of an answer.
func (w warnings) HandleWarningHeader(code int, _ string, text string) {
	if code == 299 && text != "" { // 299 is the only code the API uses
		w(text)
	}
}
