package ssh

import (
	"bytes"
	"crypto/sha1" // known_hosts hashes names with it; nothing is signed
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// knownKey is a line of a known_hosts file.
type knownKey struct {
	marker string // "", cert-authority or revoked
	hosts  []string
	key    ssh.PublicKey
	where  string // file:line
	hashed *hashedName
}

// knownKeys are the lines of known_hosts files.
//
// x/crypto's knownhosts package is not enough here: it cannot list what it
// knows, which is needed to offer only the algorithms known for a host, takes
// the plain key of an authority for a host's own, and fails as a whole on a
// single line it does not understand, which ssh skips.
type knownKeys struct {
	// lines are hosts' own keys. Those that name hosts by plain words are found by
	// them, because with a thousand hosts a file has a thousand lines, and each
	// host is looked up; patterns and hashes have to be tried.
	lines    []knownKey
	plain    map[string][]int
	patterns []int
	// authorities and revoked are the lines with these markers.
	authorities, revoked []knownKey
}

// readKnownHosts reads files; those that do not exist are empty.
func readKnownHosts(names []string, read func(string) ([]byte, error)) (*knownKeys, error) {
	all := &knownKeys{plain: map[string][]int{}}
	for _, f := range names {
		text, err := read(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading known host keys: %w", err)
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
			if err != nil {
				continue // as ssh does: a comment, or a key type of another time
			}
			all.add(knownKey{marker, hosts, key, fmt.Sprintf("%s:%d", f, i+1), parseHash(hosts)})
		}
	}
	return all, nil
}

func (k *knownKeys) add(line knownKey) {
	switch line.marker {
	case "cert-authority":
		k.authorities = append(k.authorities, line)
		return
	case "revoked":
		k.revoked = append(k.revoked, line)
		return
	case "":
	default:
		return
	}
	n := len(k.lines)
	k.lines = append(k.lines, line)
	if slices.ContainsFunc(line.hosts, func(h string) bool { return strings.ContainsAny(h, "*?!|") }) {
		k.patterns = append(k.patterns, n)
		return
	}
	for _, h := range line.hosts {
		h = strings.ToLower(h)
		k.plain[h] = append(k.plain[h], n)
	}
}

// keysOf are the keys of a host under the first of its names that has any: an
// old entry for its address does not speak for a host known by name.
func (k *knownKeys) keysOf(names []string) []knownKey {
	for _, n := range names {
		at := slices.Clone(k.plain[strings.ToLower(n)])
		for _, i := range k.patterns {
			if k.lines[i].matches(n) {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			continue
		}
		slices.Sort(at)
		var found []knownKey
		for _, i := range slices.Compact(at) {
			found = append(found, k.lines[i])
		}
		return found
	}
	return nil
}

// authoritiesOf are the authorities that may speak for a host. A port is not
// part of what they vouch for: `@cert-authority *.example.net` holds for all.
func (k *knownKeys) authoritiesOf(names []string) []knownKey {
	var found []knownKey
	for _, line := range k.authorities {
		for _, n := range names {
			if line.matches(n) || line.matches(withoutPort(n)) {
				found = append(found, line)
				break
			}
		}
	}
	return found
}

// revokes is the line that revokes a key, whatever host it names, as in ssh.
func (k *knownKeys) revokes(key ssh.PublicKey) (knownKey, bool) {
	for _, line := range k.revoked {
		if sameKey(line.key, key) {
			return line, true
		}
	}
	return knownKey{}, false
}

func (l knownKey) matches(name string) bool {
	if len(l.hosts) == 1 && strings.HasPrefix(l.hosts[0], "|1|") {
		return l.hashed.is(name)
	}
	return matchList(l.hosts, name)
}

// hashedName is a host's name of which a line tells only HMAC-SHA1(salt, name). Such
// lines are tried one by one for each host, a million times for a thousand hosts in a
// file of a thousand lines, so what does not depend on the name is worked out once:
// the key's two blocks, which the hashes begin with.
type hashedName struct {
	inner, outer [sha1.BlockSize]byte
	sum          [sha1.Size]byte
}

// parseHash reads |1|salt|sum; nil when there is none that can be read.
func parseHash(hosts []string) *hashedName {
	if len(hosts) != 1 {
		return nil
	}
	part := strings.Split(hosts[0], "|")
	if len(part) != 4 || part[1] != "1" {
		return nil
	}
	salt, err1 := base64.StdEncoding.DecodeString(part[2])
	sum, err2 := base64.StdEncoding.DecodeString(part[3])
	if err1 != nil || err2 != nil || len(sum) != sha1.Size {
		return nil
	}
	if len(salt) > sha1.BlockSize {
		short := sha1.Sum(salt)
		salt = short[:]
	}
	var h hashedName
	copy(h.inner[:], salt)
	copy(h.outer[:], salt)
	copy(h.sum[:], sum)
	for i := range h.inner {
		h.inner[i] ^= 0x36
		h.outer[i] ^= 0x5c
	}
	return &h
}

// is reports whether it is that name.
func (h *hashedName) is(name string) bool {
	if h == nil {
		return false
	}
	var room [3 * sha1.BlockSize]byte // for most names without an allocation
	inner := sha1.Sum(append(append(room[:0], h.inner[:]...), name...))
	return sha1.Sum(append(append(room[:0], h.outer[:]...), inner[:]...)) == h.sum
}

// keyNames are the names, in known_hosts' form, under which a host's key may be
// recorded: its HostKeyAlias alone, else the given ones in their order.
func keyNames(alias string, port int, names ...string) []string {
	if alias != "" {
		return []string{strings.ToLower(alias)}
	}
	var all []string
	seen := map[string]bool{"": true}
	for _, n := range names {
		n = strings.ToLower(n) // ssh does; hashes make it matter
		if seen[n] {
			continue
		}
		seen[n] = true
		if port != 22 {
			n = fmt.Sprintf("[%s]:%d", n, port)
		}
		all = append(all, n)
	}
	return all
}

func withoutPort(name string) string {
	if n, _, ok := strings.Cut(name, "]:"); ok {
		return knownhosts.Normalize(n + "]")
	}
	return name
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }
