package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/ssh"
)

// attest says what keys a host has, by a fact of five minutes ago.
func attest(keys ...xssh.PublicKey) func(context.Context) ssh.Attestation {
	return func(context.Context) ssh.Attestation {
		a := ssh.Attestation{By: "the fact of node-1.example.net", Age: 5 * time.Minute}
		for _, k := range keys {
			a.Keys = append(a.Keys, k.Marshal())
		}
		return a
	}
}

// silent says why nothing is said.
func silent(why string) func(context.Context) ssh.Attestation {
	return func(context.Context) ssh.Attestation {
		return ssh.Attestation{By: "the fact of node-1.example.net", Err: errors.New(why)}
	}
}

// What is attested comes after the inventory and known_hosts, and against it nobody is
// believed but the inventory.
func TestAttestedHostKey(t *testing.T) {
	shown, other, old := newKey(t), newKey(t), newKey(t)
	ecdsa, otherECDSA := newECDSA(t), newECDSA(t)
	certified, authority := certified(t, shown, "node-1")
	_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{shown.signer}})
	_, two := served(t, hosttest.Config{HostKeys: []xssh.Signer{ecdsa, shown.signer}})
	_, signed := served(t, hosttest.Config{HostKeys: []xssh.Signer{certified, shown.signer}})
	ours, theirs := xssh.FingerprintSHA256(shown.public()), xssh.FingerprintSHA256(other.public())
	differs := []string{"DIFFERS from the fact of node-1.example.net, of 5m0s ago", ours, theirs, "puppet agent -t"}
	for name, c := range map[string]struct {
		on       *hosttest.Server
		known    string // a line of known_hosts after the host
		pinned   string
		attested func(context.Context) ssh.Attestation
		words    []string // of the refusal; nil: let through
	}{
		"attested":                      {s, "", "", attest(shown.public()), nil},
		"attested among others":         {s, "", "", attest(ecdsa.PublicKey(), shown.public()), nil},
		"the attested one is asked for": {two, "", "", attest(ecdsa.PublicKey()), nil},
		"known and attested":            {s, shown.line(), "", attest(shown.public()), nil},
		"differs":                       {s, "", "", attest(other.public()), differs},
		"known, and differs":            {s, shown.line(), "", attest(other.public()), differs},
		"pinned, and differs":           {s, "", shown.line(), attest(other.public()), nil},
		"pinned to another":             {s, "", other.line(), attest(shown.public()), []string{"CHANGED", "the inventory"}},
		"changed, and attested":         {s, old.line(), "", attest(shown.public()), []string{"CHANGED", ours, "which is what the fact of node-1.example.net says, of 5m0s ago"}},
		"changed, and differs":          {s, old.line(), "", attest(other.public()), []string{"CHANGED", ours}},
		"of another type, not known":    {s, "", "", attest(ecdsa.PublicKey()), []string{"not known", ours, "has no key of that type"}},
		"of another type, known":        {s, shown.line(), "", attest(ecdsa.PublicKey()), nil},
		"another one of two differs":    {two, shown.line(), "", attest(shown.public(), otherECDSA.PublicKey()), nil},
		"not asked":                     {s, "", "", silent("it could not be asked"), []string{"not known", ours, "it could not be asked"}},
		"not asked, known":              {s, shown.line(), "", silent("it could not be asked"), nil},
		"no keys":                       {s, "", "", attest(), []string{"not known", "tells no key"}},
		"revoked":                       {s, "", "revoked", attest(shown.public()), []string{"revoked"}},
		"a certificate":                 {signed, "", "authority", attest(shown.public()), nil},
		"a certificate, and differs":    {signed, "", "authority", attest(other.public()), differs},
		"a stranger's certificate":      {signed, "", "", attest(shown.public()), nil},
		"no certificate, but attested":  {s, "", "authority", attest(shown.public()), nil},
	} {
		t.Run(name, func(t *testing.T) {
			target := targetOf(c.on)
			text := ""
			if c.known != "" {
				text = fmt.Sprintf("[127.0.0.1]:%d %s\n", c.on.Port, c.known)
			}
			switch c.pinned {
			case "revoked":
				text += "@revoked * " + shown.line() + "\n"
			case "authority":
				text += "@cert-authority * " + authority.line() + "\n"
			default:
				target.HostKey = c.pinned
			}
			target.KnownHosts = writeFile(t, "known_hosts", text)
			target.Attested = c.attested
			conn, err := ssh.Dial(context.Background(), target, bare(t))
			if c.words != nil {
				wantAuthError(t, err, c.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}

// A pinned key needs nobody's word.
func TestNobodyIsAskedAboutAPinnedKey(t *testing.T) {
	k := newKey(t)
	_, s := served(t, hosttest.Config{HostKeys: []xssh.Signer{k.signer}})
	target := targetOf(s)
	target.HostKey = k.line()
	target.Attested = func(context.Context) ssh.Attestation {
		t.Error("asked")
		return ssh.Attestation{}
	}
	dial(t, target, bare(t))
}

// attested is the same with OpenSSH's sshd, which has keys of two types.
func (r *realHost) attested(t *testing.T, known string) {
	c := dial(t, r.target("root", known), bare(t))
	res, err := c.Run(context.Background(), run("sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []xssh.PublicKey
	for line := range strings.Lines(string(res.Stdout)) {
		k, _, _, _, err := xssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	if len(keys) != 2 {
		t.Fatalf("%s", res.Stdout)
	}
	stranger := writeFile(t, "known_hosts", "")
	for _, of := range [][]xssh.PublicKey{keys, keys[:1], keys[1:]} {
		target := r.target("root", stranger)
		target.Attested = attest(of...)
		dial(t, target, bare(t))
	}
	for _, file := range []string{stranger, known} {
		target := r.target("root", file)
		target.Attested = attest(newKey(t).public(), newECDSA(t).PublicKey())
		_, err := ssh.Dial(context.Background(), target, bare(t))
		wantAuthError(t, err, "DIFFERS", "of 5m0s ago")
	}
	target := r.target("root", stranger)
	target.Attested = silent("the fact is 5h0m0s old, and believed for 2h0m0s")
	_, err = ssh.Dial(context.Background(), target, bare(t))
	wantAuthError(t, err, "not known", "5h0m0s old")
}
