package ssh

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" // known_hosts hashes names with it; nothing is signed
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
}

// knownKeys are the lines of known_hosts files.
//
// x/crypto's knownhosts package is not enough here: it cannot list what it
// knows, which is needed to offer only the algorithms known for a host, takes
// the plain key of an authority for a host's own, and fails as a whole on a
// single line it does not understand, which ssh skips.
type knownKeys []knownKey

// readKnownHosts reads files; those that do not exist are empty.
func readKnownHosts(files []string) (knownKeys, error) {
	var all knownKeys
	for _, f := range files {
		text, err := os.ReadFile(f)
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
			all = append(all, knownKey{marker, hosts, key, fmt.Sprintf("%s:%d", f, i+1)})
		}
	}
	return all, nil
}

// keysOf are the keys of a host under the first of its names that has any: an
// old entry for its address does not speak for a host known by name.
func (k knownKeys) keysOf(names []string) []knownKey {
	for _, n := range names {
		var found []knownKey
		for _, line := range k {
			if line.marker == "" && line.matches(n) {
				found = append(found, line)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// authoritiesOf are the authorities that may speak for a host. A port is not
// part of what they vouch for: `@cert-authority *.example.net` holds for all.
func (k knownKeys) authoritiesOf(names []string) []knownKey {
	var found []knownKey
	for _, line := range k {
		for _, n := range names {
			if line.marker == "cert-authority" && (line.matches(n) || line.matches(withoutPort(n))) {
				found = append(found, line)
				break
			}
		}
	}
	return found
}

// revoked is the line that revokes a key, whatever host it names, as in ssh.
func (k knownKeys) revoked(key ssh.PublicKey) (knownKey, bool) {
	for _, line := range k {
		if line.marker == "revoked" && sameKey(line.key, key) {
			return line, true
		}
	}
	return knownKey{}, false
}

func (l knownKey) matches(name string) bool {
	if len(l.hosts) == 1 && strings.HasPrefix(l.hosts[0], "|1|") {
		return matchHash(l.hosts[0], name)
	}
	return matchList(l.hosts, name)
}

// matchHash compares with |1|salt|HMAC-SHA1(salt, name).
func matchHash(entry, name string) bool {
	part := strings.Split(entry, "|")
	if len(part) != 4 {
		return false
	}
	salt, err1 := base64.StdEncoding.DecodeString(part[2])
	sum, err2 := base64.StdEncoding.DecodeString(part[3])
	if err1 != nil || err2 != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), sum)
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
