package inventory

import (
	"regexp"
	"slices"
	"strings"

	"github.com/droverctl/drover/inventory/diag"
)

// sources holds the lines of the inventory's files, for showing them. A line
// that holds a secret is empty: not showing it is the one way of redacting
// that needs no parser, and so also works in a file that does not parse.
type sources map[string][]string

// secretWords are those that every match of secretName holds one of.
var secretWords = []string{"passw", "passphrase", "secret", "token", "sensitive"}

// What looks like a secret is found by its name, so that a misspelt or
// misplaced password is hidden too; a reference to one may be shown.
var (
	secretName = regexp.MustCompile(`(?i)[a-z_-]*(passw|passphrase|secret|token)[a-z_-]*"?\s*[=:]|\bsensitive\(`)
	reference  = regexp.MustCompile(`^\s*("\$\{)?((file|env)\("|(var|local|each)\.)`)
	heredoc    = regexp.MustCompile(`^\s*<<-?\s*(\w+)`)

	sensitiveVariable = regexp.MustCompile(`\bsensitive"?\s*[=:]\s*true`)
	variableDefault   = regexp.MustCompile(`\bdefault"?\s*[=:]`)
)

func (s sources) add(f file) {
	lines := strings.Split(string(f.src), "\n")
	s[f.name] = lines
	// A sensitive variable's default is found by the word beside it. It is hidden
	// before anything is parsed; that others' defaults go with it does no harm.
	if strings.Contains(string(f.src), "sensitive") && sensitiveVariable.Match(f.src) {
		for i, l := range lines {
			if variableDefault.MatchString(l) {
				lines[i] = "secret =" + l[variableDefault.FindStringIndex(l)[1]:]
			}
		}
	}
	for i := 0; i < len(lines); {
		n := secretLines(lines[i:])
		clear(lines[i : i+n])
		i += max(n, 1)
	}
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
}

// secretLines is how many lines from the first on a secret in it takes.
func secretLines(lines []string) int {
	n := 0
	lower := strings.ToLower(lines[0])
	if !slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(lower, w) }) {
		return 0 // the regular expression is slow, and most lines are these
	}
	for _, m := range secretName.FindAllStringIndex(lines[0], -1) {
		value := lines[0][m[1]:]
		if reference.MatchString(value) {
			continue
		}
		n = max(n, 1)
		if h := heredoc.FindStringSubmatch(value); h != nil {
			n = max(n, untilMarker(lines, h[1]))
		} else if strings.TrimSpace(value) == "" { // JSON may put the value on the next line
			n = max(n, min(2, len(lines)))
		}
	}
	return n
}

func untilMarker(lines []string, marker string) int {
	for i, l := range lines {
		if i > 0 && strings.TrimSpace(l) == marker {
			return i + 1
		}
	}
	return len(lines)
}

// hide keeps the lines of r from being shown.
func (s sources) hide(r diag.Range) {
	lines := s[r.File]
	for i := r.Start.Line; i <= r.End.Line && i <= len(lines); i++ {
		if i > 0 {
			lines[i-1] = ""
		}
	}
}

// line is the source line r starts on; empty when there is none to show.
func (s sources) line(r diag.Range) string {
	lines := s[r.File]
	if r.Start.Line < 1 || r.Start.Line > len(lines) {
		return ""
	}
	return lines[r.Start.Line-1]
}

func (s sources) quote(ps diag.Problems) {
	for i, p := range ps {
		if p.At != nil && p.Source == "" {
			ps[i].Source = s.line(*p.At)
		}
	}
}
