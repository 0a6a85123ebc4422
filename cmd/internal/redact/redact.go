package redact

import (
	"cmp"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/droverctl/drover/provision/host"
)

// mask stands where a secret stood, as it does in errors.
const mask = "***"

// Cleaner knows secrets by their values and by their looks. The zero value knows
// looks only. It may be used by many goroutines.
type Cleaner struct {
	mu     sync.RWMutex
	values []string // the longest first
}

// Hide teaches it a secret, also in the forms in which errors and shells write it.
func (c *Cleaner) Hide(secret string) {
	if secret == "" {
		return
	}
	quoted := strconv.Quote(secret)
	forms := []string{
		secret, quoted[1 : len(quoted)-1], strings.ReplaceAll(secret, "'", `'\''`), strings.Trim(host.Quote(secret), "'"),
		base64.StdEncoding.EncodeToString([]byte(secret)),
	}
	// Of a text of several lines, output may hold one.
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); len(line) >= shortestLine {
			forms = append(forms, line)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values = append(c.values, forms...)
	slices.SortFunc(c.values, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	c.values = slices.Compact(c.values)
}

// shortestLine is how long a line of a secret must be to be a secret itself: a
// closing brace is none.
const shortestLine = 8

// looks are those of the secrets that drover makes, which no inventory knows:
// private keys, join tokens, keys of 32 bytes in base64.
var looks = []*regexp.Regexp{
	regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`),
	regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`),
	regexp.MustCompile(`[A-Za-z0-9+/]{43}=`),
}

var (
	long = regexp.MustCompile(`[A-Za-z0-9+/]{64,}={0,2}`)
	hex  = regexp.MustCompile(`^[0-9a-f]*$`)
)

// Clean is text without secrets.
func (c *Cleaner) Clean(text string) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, v := range c.values {
		text = strings.ReplaceAll(text, v, mask)
	}
	for _, l := range looks {
		text = l.ReplaceAllString(text, mask)
	}
	// A line of a key without its beginning and end. Digests are of the same
	// letters, and so are public keys in SSH's form, which begin with a length.
	return long.ReplaceAllStringFunc(text, func(s string) string {
		if hex.MatchString(s) || strings.HasPrefix(s, "AAAA") {
			return s
		}
		return mask
	})
}
