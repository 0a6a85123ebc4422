package puppetdb

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// HostKeys are a host's SSH host keys by its ssh fact.
type HostKeys struct {
	Keys []Key
	Age  time.Duration // of the fact, by PuppetDB's clock
}

// Key is a public key as it goes over the wire.
type Key struct {
	Type string // ssh-ed25519, …
	Blob []byte
}

// Keys are the SSH host keys that a host's ssh fact tells, those first that are to be
// preferred. The fact's fingerprints have a form of their own and are not needed: the
// key itself is there. What cannot be read, and of what kind no host shows a key, is left
// out: a host may say anything of itself, and must not spoil others' rows by that.
func (n Node) Keys() []Key {
	raw, ok := n.dig("facts.ssh")
	if !ok {
		return nil
	}
	var fact map[string]json.RawMessage
	if json.Unmarshal(raw, &fact) != nil {
		return nil
	}
	var keys []Key
	for _, kind := range slices.Sorted(maps.Keys(fact)) {
		var one struct{ Key, Type string }
		if json.Unmarshal(fact[kind], &one) != nil {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(one.Key)
		if t := wireType(blob); err == nil && rank(t) < len(kinds) && (one.Type == "" || t == one.Type) {
			keys = append(keys, Key{t, blob})
		}
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return rank(a.Type) - rank(b.Type) })
	return keys
}

// kinds are those of host keys, as sshd prefers them. DSA is nothing that is still offered.
var kinds = [...]string{"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"}

// rank is the place of a kind, and after all of them of any other.
func rank(keyType string) int {
	if i := slices.Index(kinds[:], keyType); i >= 0 {
		return i
	}
	return len(kinds)
}

// wireType is the type that a key names itself: the first string in it.
func wireType(blob []byte) string {
	if len(blob) < 4 {
		return ""
	}
	n := binary.BigEndian.Uint32(blob)
	if n == 0 || n > 64 || uint64(len(blob)) < 4+uint64(n) {
		return ""
	}
	return string(blob[4 : 4+n])
}

// Line is the key as a known_hosts line has it: its type, and itself in base64.
func (k Key) Line() string { return k.Type + " " + base64.StdEncoding.EncodeToString(k.Blob) }

// Fingerprint is that of a key's line, as ssh shows it; empty when there is none.
func Fingerprint(line string) string {
	_, text, _ := strings.Cut(line, " ")
	blob, err := base64.StdEncoding.DecodeString(text)
	if line == "" || err != nil {
		return line
	}
	sum := sha256.Sum256(blob)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
