package zebos

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// State is what a configuration says that decides how further lines are read.
type State struct {
	AS          uint64 // of the running BGP process; 0 when there is none
	ExtendedASN bool   // bgp extended-asn-cap
}

// Problem is why a line is refused before FRR sees it.
type Problem int

// The problems a line can have.
const (
	Unknown Problem = iota
	Incomplete
	Ambiguous
	Conflict // understood, but it contradicts the state
)

func (p Problem) String() string {
	return [...]string{"unknown ZebOS line", "incomplete ZebOS line", "ambiguous ZebOS line", "conflicting ZebOS line"}[p]
}

// LineError names a refused line. Text is safe to show.
type LineError struct {
	Line    int // from 1
	Text    string
	Column  int // of the word that did not fit, from 0
	Problem Problem
	Detail  string
}

func (e *LineError) Error() string {
	if e.Detail != "" {
		return fmt.Sprintf("line %d: %q: %s", e.Line, e.Text, e.Detail)
	}
	return fmt.Sprintf("line %d: %q: %s", e.Line, e.Text, e.Problem)
}

// Screen is what ZebOS prints for the line; indent is the width of the prompt
// the line was typed after.
func (e *LineError) Screen(indent int) string {
	switch e.Problem {
	case Incomplete:
		return "% Incomplete command.\n"
	case Ambiguous:
		return fmt.Sprintf("%% Ambiguous command:  %q\n", e.Text)
	case Conflict:
		return "% " + e.Detail + "\n"
	}
	return strings.Repeat(" ", indent+e.Column) + "^\n% Invalid input detected at '^' marker.\n"
}

// Statement is a configuration line that was understood.
type Statement struct {
	rule    *rule // nil when there is nothing to do
	args    args
	negated bool
	line    int
	block   []string // FRR's lines that lead to it
	fresh   bool     // opens a BGP process that is new
}

// Parser reads configuration lines one after the other. The zero value stands
// at the top of an empty configuration.
type Parser struct {
	State State

	context Context
	block   []string // FRR's lines that lead to the context
	line    int
}

// NewParser returns a parser for lines entered on top of a configuration.
func NewParser(s State) *Parser { return &Parser{State: s} }

// Context is where the next line will stand.
func (p *Parser) Context() Context { return p.context }

// Leave goes one level up, as exit does; it reports false at the top.
func (p *Parser) Leave() bool {
	switch p.context {
	case Global:
		return false
	case AddressFamily:
		p.enter(RouterBGP, p.block[:1])
	default:
		p.Top()
	}
	return true
}

// Top goes to the top level, as end does.
func (p *Parser) Top() { p.enter(Global, nil) }

func (p *Parser) enter(c Context, block []string) { p.context, p.block = c, block }

// Parse reads line number n. The error, if any, is a *LineError.
func (p *Parser) Parse(n int, line string) (Statement, error) {
	p.line = n
	words, cols := fields(line)
	if len(words) == 0 || words[0][0] == '!' || words[0][0] == '#' {
		return Statement{line: n}, nil
	}
	if p.context == AddressFamily && words[0] == "exit-address-family" && len(words) == 1 {
		p.Leave()
		return Statement{line: n}, nil
	}
	negated := words[0] == "no"
	if negated {
		words, cols = words[1:], cols[1:]
	}
	// A line of the top level ends the block, as when a configuration is
	// pasted: ZebOS writes no exit between blocks. Never the other way round.
	r, m, err := p.find(p.context, words, negated)
	in := p.context
	if r == nil && p.context != Global && err.Problem != Ambiguous {
		var top *LineError
		if r, m, top = p.find(Global, words, negated); r == nil && top.Column > err.Column {
			err = top
		}
		in = Global
	}
	if r == nil {
		err.Line, err.Text = n, Redact(line)
		switch {
		case err.Column < len(cols):
			err.Column = cols[err.Column]
		default:
			err.Column = len(line)
		}
		return Statement{}, err
	}
	s := Statement{rule: r, args: m.args, negated: negated, line: n}
	if detail := p.conflict(r, m.args, negated); detail != "" {
		return Statement{}, &LineError{Line: n, Text: Redact(line), Problem: Conflict, Detail: detail}
	}
	if in == Global {
		p.Top()
	}
	s.block = p.block
	if in == RouterBGP || in == AddressFamily { // where FRR keeps it, which need not be where it was given
		s.block = s.block[:1:1]
		if r.af {
			s.block = append(s.block, family)
		}
	}
	p.advance(&s)
	return s, nil
}

// find picks the one entry the words mean. Column counts words in the error.
func (p *Parser) find(c Context, words []string, negated bool) (*rule, match, *LineError) {
	var best []*rule
	var won match
	fail := &LineError{Problem: Unknown}
	for _, r := range rules() {
		if !r.stands(c) || r.use == noOnly && !negated {
			continue
		}
		m := r.zebosForm.match(words, style{abbreviate: true, negated: negated})
		if !m.ok {
			if m.reached > fail.Column || m.reached == fail.Column && m.incomplete {
				fail.Column, fail.Problem = m.reached, Unknown
				if m.incomplete {
					fail.Problem = Incomplete
				}
			}
			continue
		}
		switch order := bytes.Compare(m.fit, won.fit); {
		case len(best) == 0 || order < 0:
			best, won = []*rule{r}, m
		case order == 0:
			best = append(best, r)
		}
	}
	switch {
	case len(best) == 0:
		return nil, match{}, fail
	case len(best) > 1 && bytes.IndexByte(won.fit, fitAbbreviated) >= 0:
		return nil, match{}, &LineError{Problem: Ambiguous}
	}
	return best[0], won, nil
}

func (r *rule) stands(c Context) bool {
	return r.in == c || c == AddressFamily && r.inAF
}

// conflict holds a line against the state, as ZebOS does.
func (p *Parser) conflict(r *rule, a args, negated bool) string {
	as, ok := parseAS(a)
	if !ok || negated && r.opens != RouterBGP {
		return ""
	}
	switch {
	case negated && p.State.AS != as:
		return fmt.Sprintf("Can't find BGP instance %d", as)
	case !negated && as > 65535 && !p.State.ExtendedASN:
		return fmt.Sprintf("AS %d needs \"bgp extended-asn-cap\" first", as)
	case !negated && r.opens == RouterBGP && p.State.AS != 0 && p.State.AS != as:
		return fmt.Sprintf("BGP is already running; AS is %d", p.State.AS)
	}
	return ""
}

func parseAS(a args) (uint64, bool) {
	as, err := strconv.ParseUint(a["as"], 10, 64)
	return as, err == nil
}

// advance follows the statement: its block and what it does to the state.
func (p *Parser) advance(s *Statement) {
	if s.rule.zebos == extendedASN {
		p.State.ExtendedASN = !s.negated
	}
	switch s.rule.opens {
	case RouterBGP:
		if s.negated {
			p.State.AS = 0
			return
		}
		s.fresh = p.State.AS == 0
		p.State.AS, _ = parseAS(s.args)
		p.enter(RouterBGP, s.rule.commands(s.args, false))
	case AddressFamily:
		if !s.negated {
			p.enter(AddressFamily, append(p.block[:1:1], family))
		}
	case RouteMap:
		if !s.negated {
			p.enter(RouteMap, s.rule.commands(s.args, false))
		}
	case Line:
		p.enter(Line, nil)
	}
}

// fields splits a line into words and the columns they start at.
func fields(line string) (words []string, cols []int) {
	rest, at := line, 0
	for {
		trimmed := strings.TrimLeft(rest, " \t\r\n\v\f")
		at += len(rest) - len(trimmed)
		if trimmed == "" {
			return words, cols
		}
		end := strings.IndexAny(trimmed, " \t\r\n\v\f")
		if end < 0 {
			end = len(trimmed)
		}
		words, cols = append(words, trimmed[:end]), append(cols, at)
		rest = trimmed[end:]
		at += end
	}
}
