package view

import (
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// ASCII is a writer of whose text nothing but ASCII gets to the one below. What a
// program says that Puppet runs, Puppet takes apart in the encoding of its own locale;
// an agent that is a service often has none, and then any other character is its error
// ("invalid byte sequence in US-ASCII"), in place of all that was to be said.
func ASCII(to io.Writer) io.Writer { return &ascii{to: to} }

type ascii struct {
	mu   sync.Mutex
	to   io.Writer
	rest []byte // the beginning of a character whose end has not been written yet
}

// inASCII is what stands for characters that drover itself uses. There is no quote and no
// backslash among them: they stand in JSON's texts as well.
var inASCII = map[rune]string{
	'…': "...", '→': "->", '×': "x", '−': "-", '–': "-", '—': "-", '·': "-", '±': "+-", '÷': "/", '≤': "<=", '≥': ">=",
	'Σ': "sum of", '⌊': "floor(", '⌋': ")", '⌈': "ceil(", '⌉': ")", 'µ': "u", 'μ': "u", '“': "'", '”': "'", '„': "'", '‘': "'", '’': "'", '●': "*",
}

// Write is for others' text as well, which may be in no encoding at all.
func (a *ascii) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := append(a.rest, p...)
	a.rest = nil
	var b strings.Builder
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch known, ok := inASCII[r]; {
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case ok:
			b.WriteString(known)
		default:
			b.WriteByte('?')
		}
	}
	a.rest = append(a.rest, text...)
	if b.Len() == 0 {
		return len(p), nil
	}
	if _, err := io.WriteString(a.to, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
