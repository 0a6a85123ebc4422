package ssh

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Attestation is what another source than files says of a host's keys. It comes after
// known_hosts and @cert-authority: it makes a host known that they do not know, and a
// key that it contradicts is refused, whoever knows it.
type Attestation struct {
	By   string        // who says so: "PuppetDB's ssh fact of node-1.example.net"
	Keys [][]byte      // as they go over the wire
	Age  time.Duration // of what is said
	Err  error         // why nothing is said: it could not be asked, or knows nothing that counts
}

// attested is an attestation whose keys were read.
type attested struct {
	Attestation
	keys []ssh.PublicKey
}

// readAttestation leaves out keys of kinds that are not known here: no host can show
// them to us.
func readAttestation(a Attestation) attested {
	out := attested{Attestation: a}
	for _, blob := range a.Keys {
		if k, err := ssh.ParsePublicKey(blob); err == nil {
			out.keys = append(out.keys, k)
		}
	}
	if out.Err == nil && out.keys == nil {
		out.Err = errors.New(a.By + " tells no key")
	}
	return out
}

func (a attested) has(key ssh.PublicKey) bool {
	return slices.ContainsFunc(a.keys, func(k ssh.PublicKey) bool { return sameKey(k, key) })
}

// contradicts reports whether the host has another key of that type, by what is said.
func (a attested) contradicts(key ssh.PublicKey) bool {
	return !a.has(key) && slices.ContainsFunc(a.keys, func(k ssh.PublicKey) bool { return k.Type() == key.Type() })
}

// silence is why nothing is said of a host, to be added to that nobody knows its key.
func (a attested) silence() string {
	switch {
	case a.By == "":
		return ""
	case a.Err != nil:
		return "; " + a.Err.Error()
	}
	return fmt.Sprintf("; %s, of %s ago, has no key of that type", a.By, age(a.Age))
}

// agrees tells that a key which is not the known one is the one that is attested.
func (a attested) agrees(key ssh.PublicKey) string {
	if !a.has(key) {
		return ""
	}
	return fmt.Sprintf(", which is what %s says, of %s ago", a.By, age(a.Age))
}

// contradicted refuses a key that is another than the attested one, whoever knows it:
// of two keys for one host, one is somebody else's, or was.
func (t *trust) contradicted(key ssh.PublicKey) error {
	if !t.attested.contradicts(key) {
		return nil
	}
	var said []string
	for _, k := range t.attested.keys {
		said = append(said, k.Type()+" "+ssh.FingerprintSHA256(k))
	}
	return t.refuse(fmt.Errorf("its host key DIFFERS from %s, of %s ago: there it is %s, it shows %s %s",
		t.attested.By, age(t.attested.Age), strings.Join(said, ", "), key.Type(), ssh.FingerprintSHA256(key)),
		"if its keys were made anew, run its agent (`puppet agent -t` there), which tells the new ones, and then this again; if not, somebody may be listening in: stop here. A key that is pinned (ssh { host_key }) is not compared")
}

// bareKey is a key without its certificate.
func bareKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

func age(d time.Duration) string { return max(d, 0).Round(time.Second).String() }
