package zebos

import (
	"strings"
)

const hidden = "***"

// Redact returns the line as it may be shown in a message. It errs on the
// safe side: a mistyped "password" must not give its secret away either, so
// after an unknown word a neighbor's line is cut.
func Redact(line string) string {
	words := strings.Fields(line)
	for i, w := range words[:max(0, len(words)-1)] {
		w = strings.ToLower(w)
		if strings.Contains(w, "pass") || strings.Contains(w, "secret") || strings.Contains(w, "pwd") || strings.Contains(w, "key") {
			return strings.Join(append(words[:i+1:i+1], hidden), " ")
		}
	}
	i := 0
	if len(words) > 0 && words[0] == "no" {
		i = 1
	}
	if len(words) > i+3 && len(words[i]) > 1 && strings.HasPrefix("neighbor", words[i][:2]) && !harmless(words[i+2]) {
		return strings.Join(append(words[:i+3:i+3], hidden), " ")
	}
	return strings.Join(words, " ")
}

// harmless reports whether the word is a neighbor's keyword, in full, that takes no secret.
func harmless(word string) bool {
	if word == "password" {
		return false
	}
	for _, r := range rules() {
		if len(r.zebosForm) > 2 && r.zebosForm[0].lit == "neighbor" && r.zebosForm[2].lit == word {
			return true
		}
	}
	return false
}

// scrub takes the secrets of a batch out of what FRR printed about it.
func scrub(text string, secrets []string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, hidden)
	}
	return text
}
