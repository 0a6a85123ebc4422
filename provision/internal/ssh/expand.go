package ssh

import (
	"os"
	"path/filepath"
	"strings"
)

// expander replaces ~ and ssh_config's percent tokens in a file's name. Tokens
// it does not know stay as they are and end in "no such file".
func expander(home string, tokens map[byte]string) func(string) string {
	return func(s string) string {
		if s == "~" || strings.HasPrefix(s, "~/") {
			s = filepath.Join(home, s[1:])
		}
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '%' || i+1 == len(s) {
				b.WriteByte(s[i])
				continue
			}
			i++
			switch v, known := tokens[s[i]]; {
			case s[i] == '%':
				b.WriteByte('%')
			case known:
				b.WriteString(v)
			default:
				b.WriteString(s[i-1 : i+1])
			}
		}
		return b.String()
	}
}

// expandEnv is IdentityAgent's $VAR form.
func expandEnv(s string) string { return os.Getenv(strings.Trim(s[1:], "{}")) }
