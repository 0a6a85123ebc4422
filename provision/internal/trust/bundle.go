package trust

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/pki"
)

// Bundle is a cluster's shared secrets. It prints as nothing of them.
type Bundle struct {
	authorities map[pki.CAName]pki.Authority
	shared      map[string][]byte // by path on a master
}

// caValidity is how long an authority lives: renewing one touches everything.
const caValidity = 10 * 365 * 24 * time.Hour

// Generate makes a new cluster's bundle.
func Generate(now time.Time) (*Bundle, error) {
	b := &Bundle{authorities: map[pki.CAName]pki.Authority{}, shared: map[string][]byte{}}
	for _, ca := range pki.CAs() {
		a, err := pki.NewCA(ca.CommonName, now, caValidity)
		if err != nil {
			return nil, err
		}
		key, err := a.Key.PEM()
		if err != nil {
			return nil, err
		}
		b.authorities[ca.Name] = a
		b.shared[ca.Cert.Path], b.shared[ca.Key.Path] = a.CertPEM(), key
	}
	sa, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	if b.shared[pki.ServiceAccountKey().Path], err = sa.PEM(); err != nil {
		return nil, err
	}
	if b.shared[pki.ServiceAccountPub().Path], err = sa.PublicPEM(); err != nil {
		return nil, err
	}
	key, err := pki.NewEncryptionKey()
	if err != nil {
		return nil, err
	}
	if b.shared[pki.EncryptionFile().Path], err = pki.EncryptionConfig(key); err != nil {
		return nil, err
	}
	b.seal()
	return b, nil
}

// ErrIncomplete says that a master does not hold the whole bundle.
var ErrIncomplete = errors.New("it does not hold all of the cluster's keys")

// Read takes the bundle from a master, in one round trip.
func Read(ctx context.Context, master host.Reader) (*Bundle, error) {
	res, err := master.Probe(ctx, host.Cmd{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(Script())})
	if err != nil {
		return nil, err
	}
	if res.Exit != 0 {
		return nil, fmt.Errorf("%s: reading the cluster's keys: exit code %d", master.Name(), res.Exit)
	}
	b, err := Parse(res.Stdout)
	if err != nil {
		return nil, fmt.Errorf("%s: reading the cluster's keys: %w", master.Name(), err)
	}
	return b, nil
}

// Script prints the bundle that a master holds, for Parse.
func Script() string {
	var script strings.Builder
	script.WriteString("# drover bundle\nset -e\necho\n")
	for _, f := range Files() {
		fmt.Fprintf(&script, "echo '%s%s'\n[ ! -f %[2]s ] || cat %[2]s\n", marker, f.Path)
	}
	fmt.Fprintf(&script, "echo '%send'\n", marker)
	return script.String()
}

const marker = "@@drover-bundle@@ "

// Parse reads what Script printed. Its errors tell nothing of that.
func Parse(out []byte) (*Bundle, error) {
	b := &Bundle{authorities: map[pki.CAName]pki.Authority{}, shared: map[string][]byte{}}
	parts := bytes.Split(append([]byte("\n"), out...), []byte("\n"+marker))
	if last := parts[len(parts)-1]; string(bytes.TrimSpace(last)) != "end" {
		return nil, errors.New("the answer ended before its end")
	}
	for _, part := range parts[1:] {
		path, content, _ := bytes.Cut(part, []byte("\n"))
		if len(content) > 0 {
			b.shared[string(path)] = append(bytes.TrimRight(content, "\n"), '\n')
		}
	}
	for _, f := range Files() {
		if len(b.shared[f.Path]) == 0 {
			return nil, fmt.Errorf("%w: %s is missing", ErrIncomplete, f.Path)
		}
	}
	for _, ca := range pki.CAs() {
		a, err := pki.ParseAuthority(b.shared[ca.Cert.Path], b.shared[ca.Key.Path])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ca.Cert.Path, err)
		}
		b.authorities[ca.Name] = a
	}
	private, public := pki.ServiceAccountKey().Path, pki.ServiceAccountPub().Path
	sa, err := pki.ParseKey(b.shared[private])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", private, err)
	}
	if !sa.FitsPublic(b.shared[public]) {
		return nil, fmt.Errorf("%s: it is not the public half of %s", public, private)
	}
	b.seal()
	return b, nil
}

// Files are the files the bundle consists of, on every master.
func Files() []pki.File {
	var files []pki.File
	for _, ca := range pki.CAs() {
		files = append(files, ca.Cert, ca.Key)
	}
	return append(files, pki.ServiceAccountKey(), pki.ServiceAccountPub(), pki.EncryptionFile())
}

// Authority is one of the authorities.
func (b *Bundle) Authority(name pki.CAName) pki.Authority { return b.authorities[name] }

// UID tells the cluster from every other, also of its name: the key ID of its
// authority, which is no secret.
func (b *Bundle) UID() string { return b.Authority(pki.ClusterCA).Describe().KeyID }

// Content is one of the bundle's files.
func (b *Bundle) Content(path string) []byte { return b.shared[path] }

// Digest names one of the bundle's files without telling it.
func (b *Bundle) Digest(path string) string {
	sum := sha256.Sum256(b.shared[path])
	return "sha256:" + hex.EncodeToString(sum[:])
}

// String tells nothing.
func (b *Bundle) String() string { return "(the cluster's keys)" }

// Format tells nothing, whatever the verb.
func (b *Bundle) Format(f fmt.State, _ rune) { fmt.Fprint(f, b.String()) }

// MarshalText tells nothing.
func (b *Bundle) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
