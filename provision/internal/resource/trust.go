package resource

import (
	"context"
	"errors"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/trust"
	"github.com/droverctl/drover/provision/plan"
)

// ours is how a plan names what belongs to the cluster's own trust: a plan made
// before the cluster exists must read like one made after.
const ours = "the cluster's"

// Shared is a file of the cluster's trust bundle on a host.
type Shared struct {
	Host   string
	File   pki.File
	Bundle *trust.Bundle
	Needs  []plan.ID
}

// Item is the file, with the cluster's content.
func (s Shared) Item() plan.Item {
	return plan.Item{ID: FileID(s.Host, s.File.Path), Needs: s.Needs, Want: plan.State{
		"content": ours, "mode": modeWord(s.File.Mode), "owner": ownerWord(s.File.Owner),
	}}
}

// Scope is the file.
func (s Shared) Scope() facts.Scope { return facts.Scope{Paths: []string{s.File.Path}} }

// Observe tells whether the file is the cluster's.
func (s Shared) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(FileID(s.Host, s.File.Path))
	if err != nil {
		return nil, err
	}
	state, err := fileState(snap, s.File.Path)
	if err == nil && state != nil {
		if state["content"] == s.Bundle.Digest(s.File.Path) {
			state["content"] = ours
		} else {
			state["content"] = "another"
		}
	}
	return state, err
}

// Files is the file.
func (s Shared) Files(plan.Change) ([]host.File, error) {
	return []host.File{ofPKI(s.File, s.Bundle.Content(s.File.Path))}, nil
}

// Apply writes the file.
func (s Shared) Apply(ctx context.Context, w World, c plan.Change) error { return write(ctx, w, s, c) }

func ofPKI(f pki.File, content []byte) host.File {
	return host.File{Path: f.Path, Content: content, FileMeta: host.FileMeta{Mode: f.Mode, Owner: f.Owner}}
}

// Certificate is a leaf certificate and its key on a host.
type Certificate struct {
	Host   string
	Cert   pki.Certificate
	Bundle *trust.Bundle
	Needs  []plan.ID
	Now    func() time.Time
}

// CertificateID is the ID of a certificate on a host.
func CertificateID(hostname, name string) plan.ID {
	return plan.NewID(hostname, "certificate", name)
}

// Item is what the certificate says, and that its key is there.
func (c Certificate) Item() plan.Item {
	want := pki.Wanted(c.Cert.Leaf, c.authority().Describe())
	want["issuer"] = ours
	want["key"] = modeWord(c.Cert.Key.Mode)
	return plan.Item{ID: CertificateID(c.Host, c.Cert.Name), Needs: c.Needs, Want: want}
}

func (c Certificate) authority() pki.Authority { return c.Bundle.Authority(c.Cert.CA) }

// Scope is the certificate and its key.
func (c Certificate) Scope() facts.Scope {
	return facts.Scope{Paths: []string{c.Cert.Cert.Path, c.Cert.Key.Path}}
}

// Observe tells what the certificate says. One that cannot be read as a
// certificate is in need of replacement, not an error.
func (c Certificate) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(CertificateID(c.Host, c.Cert.Name))
	if err != nil {
		return nil, err
	}
	if _, ok := snap.Files[c.Cert.Cert.Path]; !ok {
		return nil, nil
	}
	desc, err := pki.Describe([]byte(snap.Texts[c.Cert.Cert.Path]))
	if err != nil {
		return plan.State{"certificate": "unreadable"}, nil //nolint:nilerr // it is a finding
	}
	state := pki.State(desc, c.Now())
	if state["issuer"] == pki.Wanted(c.Cert.Leaf, c.authority().Describe())["issuer"] {
		state["issuer"] = ours
	}
	key, ok := snap.Files[c.Cert.Key.Path]
	switch {
	case !ok:
		state["key"] = "absent"
	default:
		state["key"] = modeWord(key.Mode)
	}
	return state, nil
}

// Files is a new certificate with a new key. The key goes first: a certificate
// without its key would pass for whole.
func (c Certificate) Files(plan.Change) ([]host.File, error) {
	cert, key, err := c.authority().Issue(c.Cert.Leaf, c.Now())
	if err != nil {
		return nil, err
	}
	if len(cert) == 0 || len(key) == 0 {
		return nil, errors.New("an authority issued nothing")
	}
	return []host.File{ofPKI(c.Cert.Key, key), ofPKI(c.Cert.Cert, cert)}, nil
}

// Apply issues a new certificate.
func (c Certificate) Apply(ctx context.Context, w World, change plan.Change) error {
	return write(ctx, w, c, change)
}
