package imish

import (
	"regexp"
	"strings"

	"github.com/droverctl/drover/cmd/drover-lab/internal/zebos"
)

// filter is what stands behind the "|" of a show command; nil passes all.
type filter func(text string) string

func parseFilter(n int, line string) (string, filter, error) {
	command, rest, ok := strings.Cut(line, "|")
	if !ok {
		return line, nil, nil
	}
	at := len(command) + 1
	words := strings.Fields(rest)
	fail := &zebos.LineError{Line: n, Text: zebos.Redact(line), Column: at}
	if len(words) < 2 {
		fail.Problem = zebos.Incomplete
		return "", nil, fail
	}
	re, err := regexp.Compile(strings.Join(words[1:], " "))
	if err != nil {
		return "", nil, fail
	}
	switch w := words[0]; {
	case strings.HasPrefix("include", w):
		return command, lineFilter(re.MatchString), nil
	case strings.HasPrefix("exclude", w) && len(w) > 0:
		return command, lineFilter(func(s string) bool { return !re.MatchString(s) }), nil
	case strings.HasPrefix("begin", w):
		begun := func() func(string) bool {
			seen := false
			return func(s string) bool { seen = seen || re.MatchString(s); return seen }
		}
		return command, func(text string) string { return lineFilter(begun())(text) }, nil
	}
	return "", nil, fail
}

func lineFilter(keep func(line string) bool) filter {
	return func(text string) string {
		var b strings.Builder
		for line := range strings.Lines(text) {
			if keep(strings.TrimSuffix(line, "\n")) {
				b.WriteString(line)
			}
		}
		return b.String()
	}
}
