// Package redacttest searches what tests recorded for secrets, in all the forms in
// which programs write them.
package redacttest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// forms are the ways in which a secret could be written.
func forms(secret string) []string {
	asJSON, _ := json.Marshal(secret) // a string can be
	all := []string{
		secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		url.QueryEscape(secret), url.PathEscape(secret),
		strings.Trim(strconv.Quote(secret), `"`), strings.Trim(string(asJSON), `"`),
		strings.Trim(host.Quote(secret), "'"), strings.ReplaceAll(secret, "'", `'\''`), strings.ReplaceAll(secret, "'", `'"'"'`),
	}
	// In base64 a text looks one of three ways, by where in the whole it begins; its
	// first and last letters tell of its neighbors, too.
	for skip := range 3 {
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := alphabet.EncodeToString([]byte(strings.Repeat("x", skip) + secret))
			all = append(all, text[(skip*8+5)/6:len(text)-1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Hunt is a search for secrets. The zero value knows none.
type Hunt struct {
	forms map[string]string // to what they are of
}

// Add has a secret searched for.
func (h *Hunt) Add(what, secret string) {
	if h.forms == nil {
		h.forms = map[string]string{}
	}
	for _, f := range forms(secret) {
		h.forms[f] = what
	}
}

// AddKeys has the private keys of a text searched for, by each line that holds
// nothing but the secret, and returns how many lines that were.
func (h *Hunt) AddKeys(what, text string) int {
	lines := KeyLines(text)
	for _, line := range lines {
		h.Add(what, line)
	}
	return len(lines)
}

var keys = regexp.MustCompile(`(?s)-----BEGIN ([A-Z ]*)PRIVATE KEY-----\n(.*?)-----END`)

// KeyLines are the lines of the private keys in a text that hold secrets. Of an
// elliptic key that is the first, or in PKCS #8, as of other keys, all but the last:
// what follows is the public half, which others have, too.
func KeyLines(text string) (lines []string) {
	for _, m := range keys.FindAllStringSubmatch(text, -1) {
		of := strings.Fields(m[2])
		if n := max(1, len(of)-1); m[1] != "EC " && len(of) > 0 {
			lines = append(lines, of[:n]...)
		} else {
			lines = append(lines, of[:min(1, len(of))]...)
		}
	}
	return lines
}

// Size is how many forms of secrets are searched for.
func (h *Hunt) Size() int { return len(h.forms) }

// In tells what of them a text holds. A private key is one, whoever made it.
func (h *Hunt) In(text string) []string {
	var found []string
	for f, what := range h.forms {
		if at := strings.Index(text, f); at >= 0 {
			found = append(found, fmt.Sprintf("%s as %q: %q", what, f, text[max(0, at-80):min(len(text), at+len(f)+40)]))
		}
	}
	if strings.Contains(text, "PRIVATE KEY") {
		found = append(found, "a private key")
	}
	return found
}
