package hosttest

import (
	"fmt"
	"strings"
)

// words splits a command line as a shell would that is given nothing to expand:
// an unquoted character that means something to a shell is refused, because a
// line that depends on it is a line that was not quoted.
func words(line string) ([]string, error) {
	var all []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case b == '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, fmt.Errorf("hosttest: a quote is not closed in %q", line)
			}
			word.WriteString(line[i+1 : i+1+end])
			i, inWord = i+1+end, true
		case b == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			inWord = true
		case b == ' ':
			if inWord {
				all = append(all, word.String())
				word.Reset()
				inWord = false
			}
		case strings.IndexByte("\"\n\t$`;|&<>()*?[]#~!{}", b) >= 0:
			return nil, fmt.Errorf("hosttest: unquoted %q in %q", b, line)
		default:
			word.WriteByte(b)
			inWord = true
		}
	}
	if inWord {
		all = append(all, word.String())
	}
	return all, nil
}
