package puppetdb

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/provision/host"
)

// Client asks one PuppetDB.
type Client struct {
	http *http.Client
	base string
	host string // for errors
	now  func() time.Time
}

// Bounds of one answer. A host's facts are some ten kilobytes.
const (
	maxAnswer  = 256 << 20
	maxRow     = 4 << 20
	dialLimit  = 10 * time.Second
	firstByte  = 60 * time.Second // PuppetDB sorts out the query before it says anything
	maxExcerpt = 300              // of what it says when it refuses
)

// Open makes a client. It reads the certificates and does not connect.
func Open(a Access, now func() time.Time) (*Client, error) {
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" || !inventory.PlainOnLoopback(a.URL) {
		return nil, fmt.Errorf("PuppetDB's URL %q: write https://HOST:8081; plain http is for this machine alone, as in http://127.0.0.1:8080", a.URL)
	}
	dialer := &net.Dialer{Timeout: dialLimit}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: dialLimit, ResponseHeaderTimeout: firstByte,
		MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 1, IdleConnTimeout: dialLimit,
	}
	if u.Scheme == "http" {
		dialer.ControlContext = loopbackOnly
	} else if transport.TLSClientConfig, err = a.tls(); err != nil {
		return nil, err
	}
	return &Client{
		base: strings.TrimRight(a.URL, "/") + "/pdb/query/v4/", host: u.Host, now: now,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close lets go of the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// loopbackOnly holds a name such as localhost to what it has to mean.
func loopbackOnly(_ context.Context, _, address string, _ syscall.RawConn) error {
	name, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(name); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not on this machine, and plain HTTP does not leave it", address)
	}
	return nil
}

func (a Access) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
	if err != nil {
		return nil, fmt.Errorf("the certificate to show to PuppetDB: %w: run it as a user who may read %s, or give cert, key and ca", err, a.Key)
	}
	pem, err := os.ReadFile(a.CA)
	if err != nil {
		return nil, fmt.Errorf("the authority of PuppetDB's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the authority of PuppetDB's certificate: %s holds no certificate", a.CA)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}, nil
}

// ask sends a query to an entity's endpoint and takes its rows one by one. at is
// PuppetDB's own time, by which its timestamps are judged.
func (c *Client) ask(ctx context.Context, entity string, query any, row func(json.RawMessage) error) (at time.Time, err error) {
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		return at, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+entity, bytes.NewReader(body))
	if err != nil {
		return at, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	answer, err := c.http.Do(r)
	if err != nil {
		return at, c.unanswered(ctx, entity, err)
	}
	defer answer.Body.Close()
	if err := c.refused(entity, answer); err != nil {
		return at, err
	}
	if at, err = http.ParseTime(answer.Header.Get("Date")); err != nil {
		at = c.now()
	}
	if err := rows(answer.Body, row); err != nil {
		return at, c.unanswered(ctx, entity, err)
	}
	return at, nil
}

// rows takes an array's elements. It must be one, from the first byte to the last.
func rows(answer io.Reader, row func(json.RawMessage) error) error {
	limited := &limit{r: answer, all: maxAnswer}
	d := json.NewDecoder(limited)
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return badAnswer(err, "it is not a list")
	}
	for n := 1; d.More(); n++ {
		limited.row = maxRow
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return badAnswer(err, "")
		}
		if err := row(raw); err != nil {
			return &AnswerError{Err: fmt.Errorf("row %d: %w", n, err)}
		}
	}
	if _, err := d.Token(); err != nil {
		return badAnswer(err, "")
	}
	limited.row = maxRow
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badAnswer(err, "something comes after its end")
	}
	return nil
}

// AnswerError is an answer that cannot be made out, or that ended early.
type AnswerError struct{ Err error }

func (e *AnswerError) Error() string { return "its answer cannot be used: " + e.Err.Error() }
func (e *AnswerError) Unwrap() error { return e.Err }

func badAnswer(err error, otherwise string) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return &AnswerError{Err: errors.New(otherwise)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &AnswerError{Err: errors.New("it ended before its end; PuppetDB's log tells why")}
	case errors.As(err, &syntax):
		return &AnswerError{Err: err}
	}
	return err
}

// limit bounds a row and the whole.
type limit struct {
	r        io.Reader
	row, all int64
}

func (l *limit) Read(p []byte) (int, error) {
	if l.all <= 0 || l.row < 0 {
		return 0, &AnswerError{Err: errors.New("it is too large")}
	}
	n, err := l.r.Read(p)
	l.row, l.all = l.row-int64(n), l.all-int64(n)
	return n, err
}

// refused is the error of an answer that is not the data.
func (c *Client) refused(entity string, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "application/json" {
			return fmt.Errorf("%s: it answers with %q and not with JSON: is this PuppetDB's URL?", c.host, kind)
		}
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxExcerpt)) // what can be had of it
	said := fmt.Errorf("asking PuppetDB for %s: it answers %s: %s", entity, answer.Status, strings.Join(strings.Fields(string(text)), " "))
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return &host.AuthError{Host: c.host, Err: said, Fix: "add this machine's certname to PuppetDB's certificate-allowlist, or show another certificate: puppetdb { cert, key }"}
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w: is this PuppetDB's URL?", c.host, said)
	}
	return fmt.Errorf("%s: %w", c.host, said)
}

// unanswered is the error of a question without a whole answer.
func (c *Client) unanswered(ctx context.Context, entity string, err error) error {
	var answer *AnswerError
	var unverified *tls.CertificateVerificationError
	var op *net.OpError
	what := "asking PuppetDB for " + entity
	switch {
	case errors.As(err, &answer):
		return fmt.Errorf("%s: %s: %w", c.host, what, err)
	case errors.As(err, &unverified):
		return &host.AuthError{Host: c.host, Err: fmt.Errorf("%s: %w", what, err), Fix: "see that the URL has the name that is in PuppetDB's certificate, and that ca is the authority it is of"}
	case errors.As(err, &op) && op.Op == "remote error":
		return &host.AuthError{Host: c.host, Err: fmt.Errorf("%s: it does not take the certificate that was shown: %w", what, err), Fix: "show one of the authority that PuppetDB trusts, which is Puppet's: puppetdb { cert, key }"}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &host.UnreachableError{Host: c.host, Op: what, Err: err, Fix: "see that PuppetDB runs, and that this is its URL"}
}
