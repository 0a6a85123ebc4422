package evidence

import (
	"regexp"
	"slices"
	"strings"
)

const (
	// mostLines is how many lines of a log are shown: its last ones, and mostBad of
	// those before that tell of something bad.
	mostLines = 20
	mostBad   = 8
	// widest is how much of a line is.
	widest = 400
)

// bad is how the programs of a cluster mark a line that tells of something bad: klog,
// etcd and containerd, haproxy, Go itself.
var bad = regexp.MustCompile(`^[EF]\d{4} |level"?[=:]"?(error|fatal|panic)|\[ALERT\]|^panic:|^[Ee]rror|already in use`)

// varying is what differs between two lines that say the same.
var varying = regexp.MustCompile(`[0-9]+`)

// worst is the end of a log, after what it has of bad before that, each once: a
// program that was started again has said why it ended long before its last line.
func worst(lines []string) []string {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.TrimSpace(l) == "" })
	if len(lines) == 0 {
		return []string{"  (empty)"}
	}
	end := max(0, len(lines)-mostLines+mostBad)
	said := map[string]bool{}
	for _, l := range lines[end:] {
		said[varying.ReplaceAllString(l, "")] = true
	}
	var before []string
	for _, l := range slices.Backward(lines[:end]) {
		same := varying.ReplaceAllString(l, "")
		if len(before) < mostBad && bad.MatchString(l) && !said[same] {
			before = append(before, l)
			said[same] = true
		}
	}
	slices.Reverse(before)
	if len(before) < end {
		before = append(before, "…")
	}
	out := slices.Concat(before, lines[end:])
	for i, l := range out {
		if r := []rune(l); len(r) > widest {
			l = string(r[:widest]) + "…"
		}
		out[i] = "  " + l
	}
	return out
}
