package zebos

import (
	"strings"
)

// A pattern is one line's grammar, in either dialect:
//
//	word             a keyword
//	<name:kind>      an argument
//	[ … ]            an optional part
//	~                where the "no" form may end
//
// "<name:kind?v>" inside an optional part is left out again when its value is
// v, the default FRR does not show.
type pattern []elem

type elem struct {
	lit  string // keyword
	name string // argument
	kind kind
	skip string  // the argument's unshown default
	opt  pattern // optional part
	stop bool    // ~
}

func parsePattern(s string) pattern {
	p, rest := parseElems(strings.Fields(s))
	if len(rest) > 0 {
		panic("zebos: unbalanced pattern " + s)
	}
	return p
}

func parseElems(words []string) (pattern, []string) {
	var p pattern
	for len(words) > 0 {
		w := words[0]
		words = words[1:]
		switch {
		case w == "[":
			var inner pattern
			inner, words = parseElems(words)
			if len(words) == 0 || words[0] != "]" {
				panic("zebos: optional part without end")
			}
			words = words[1:]
			p = append(p, elem{opt: inner})
		case w == "]":
			return p, append([]string{w}, words...)
		case w == "~":
			p = append(p, elem{stop: true})
		case strings.HasPrefix(w, "<"):
			name, k, ok := strings.Cut(strings.Trim(w, "<>"), ":")
			if !ok {
				panic("zebos: argument without kind: " + w)
			}
			k, skip, _ := strings.Cut(k, "?")
			p = append(p, elem{name: name, kind: parseKind(k), skip: skip})
		default:
			p = append(p, elem{lit: w})
		}
	}
	return p, nil
}

type args map[string]string

// How well a word fitted; lower is better. Keywords spelled out win over
// abbreviated ones, and those over arguments.
const (
	fitExact = iota
	fitAbbreviated
	fitArgument
)

// match is the outcome of holding a line against a pattern.
type match struct {
	ok         bool
	args       args
	fit        []byte // one per word
	reached    int    // words that fitted before the first that did not
	incomplete bool   // all words fitted, more were needed
}

// style says how strictly a line is read.
type style struct {
	abbreviate bool // keywords may be cut short (imish), or not (FRR's own output)
	negated    bool // the line had a "no", so it may end at ~
}

func (p pattern) match(words []string, st style) match {
	m := matcher{words: words, style: st}
	fit := make([]byte, len(words))
	got := args{}
	m.ok = m.walk(p, 0, fit, got, nil)
	return match{ok: m.ok, args: got, fit: fit, reached: m.reached, incomplete: !m.ok && m.short && m.reached == len(words)}
}

type matcher struct {
	style
	words   []string
	ok      bool
	reached int
	short   bool
}

// walk matches p, then whatever follows it, from word i on. rest is the
// continuation after an optional part.
func (m *matcher) walk(p pattern, i int, fit []byte, got args, rest func(i int) bool) bool {
	m.reached = max(m.reached, i)
	if len(p) == 0 {
		if rest != nil {
			return rest(i)
		}
		return i == len(m.words)
	}
	e := p[0]
	switch {
	case e.stop:
		if m.negated && i == len(m.words) && rest == nil {
			return true
		}
		return m.walk(p[1:], i, fit, got, rest)
	case e.opt != nil:
		next := func(i int) bool { return m.walk(p[1:], i, fit, got, rest) }
		if i < len(m.words) && m.walk(e.opt, i, fit, got, next) {
			return true
		}
		for _, o := range e.opt { // undo what a half-matched part noted
			delete(got, o.name)
		}
		return next(i)
	case i == len(m.words):
		m.short = true
		return false
	case e.kind != nil:
		v, used, ok := m.argument(e.kind, i, fit)
		if !ok {
			return false
		}
		if v != e.skip || e.skip == "" {
			got[e.name] = v
		}
		return m.walk(p[1:], i+used, fit, got, rest)
	}
	if !m.keyword(e.lit, i, fit) {
		return false
	}
	return m.walk(p[1:], i+1, fit, got, rest)
}

func (m *matcher) keyword(lit string, i int, fit []byte) bool {
	switch w := m.words[i]; {
	case w == lit:
		fit[i] = fitExact
	case m.abbreviate && strings.HasPrefix(lit, w):
		fit[i] = fitAbbreviated
	default:
		return false
	}
	return true
}

func (m *matcher) argument(k kind, i int, fit []byte) (string, int, bool) {
	if e, ok := k.(enum); ok {
		full, exact, ok := e.pick(m.words[i])
		fit[i] = fitExact
		if !exact {
			fit[i] = fitAbbreviated
		}
		return full, 1, ok && (exact || m.abbreviate)
	}
	v, used, ok := k.read(m.words[i:])
	if !ok {
		return "", 0, false
	}
	for j := range used {
		fit[i+j] = fitArgument
	}
	return v, used, true
}

// render writes the line with these arguments; cut ends it at ~.
func (p pattern) render(a args, cut bool) string {
	words, _ := p.words(a, cut)
	return strings.Join(words, " ")
}

// words reports false when an argument is missing: then an optional part is
// left out.
func (p pattern) words(a args, cut bool) ([]string, bool) {
	var out []string
	for _, e := range p {
		switch {
		case e.stop:
			if cut {
				return out, true
			}
		case e.opt != nil:
			if inner, ok := e.opt.words(a, cut); ok {
				out = append(out, inner...)
			}
		case e.kind != nil:
			v, ok := a[e.name]
			if !ok {
				return out, false
			}
			out = append(out, v)
		default:
			out = append(out, e.lit)
		}
	}
	return out, true
}
