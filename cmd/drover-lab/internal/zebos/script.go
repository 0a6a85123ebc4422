package zebos

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Script is what a batch of statements is for FRR: one text for one vtysh,
// with the way back from its lines to those of the batch.
type Script struct {
	lines   []string
	from    []int          // ZebOS line of each
	shown   map[int]string // ZebOS lines, safe to show
	secrets []string
}

// NewScript translates statements in their order.
func NewScript(statements []Statement) Script {
	s := Script{shown: map[int]string{}}
	var open []string
	for _, st := range statements {
		if st.rule == nil {
			continue
		}
		s.note(st)
		commands := st.rule.commands(st.args, st.negated)
		if len(commands) == 0 {
			continue
		}
		shared := common(open, st.block)
		s.close(open[shared:], st.line)
		for _, b := range st.block[shared:] {
			s.add(b, st.line)
		}
		open = st.block
		for _, c := range commands {
			s.add(c, st.line)
		}
		switch {
		case st.fresh:
			for _, c := range companions.session {
				s.add(c, st.line)
			}
			s.add(family, st.line)
			for _, c := range companions.family {
				s.add(c, st.line)
			}
			s.add("exit-address-family", st.line)
			open = commands
		case !st.negated && (st.rule.opens == RouterBGP || st.rule.opens == RouteMap):
			open = commands
		}
	}
	if n := len(s.from); n > 0 {
		s.close(open, s.from[n-1])
	}
	return s
}

func (s *Script) note(st Statement) {
	text := st.rule.zebosForm.render(st.args, st.negated)
	if st.negated {
		text = "no " + text
	}
	s.shown[st.line] = Redact(text)
	if secret := st.args["secret"]; secret != "" {
		s.secrets = append(s.secrets, secret)
	}
}

func (s *Script) add(command string, line int) {
	s.lines = append(s.lines, command)
	s.from = append(s.from, line)
}

// close leaves blocks, the innermost first.
func (s *Script) close(blocks []string, line int) {
	for _, b := range slices.Backward(blocks) {
		if b == family {
			s.add("exit-address-family", line)
		} else {
			s.add("exit", line)
		}
	}
}

func common(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// Empty reports whether there is nothing to tell FRR.
func (s Script) Empty() bool { return len(s.lines) == 0 }

// Text is the script for vtysh; it may hold secrets.
func (s Script) Text() string {
	if s.Empty() {
		return ""
	}
	return strings.Join(s.lines, "\n") + "\n"
}

// Refusal is a line FRR would not take.
type Refusal struct {
	Line   int    // 0 when FRR did not say which
	Text   string // safe to show
	Reason string
}

var refused = regexp.MustCompile(`^line (\d+): `)

// Refusals reads what vtysh printed about the script. vtysh writes reasons to
// stdout and line numbers to stderr, so they are matched by their order; when
// the counts differ every refusal carries all reasons.
func (s Script) Refusals(stdout, stderr string) []Refusal {
	var reasons []string
	for line := range strings.Lines(scrub(stdout, s.secrets)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "%") {
			reasons = append(reasons, strings.TrimSpace(strings.TrimPrefix(line, "%")))
		}
	}
	var out []Refusal
	for line := range strings.Lines(stderr) {
		m := refused.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		if n < 1 || n > len(s.from) {
			continue
		}
		from := s.from[n-1]
		r := Refusal{Line: from, Text: s.shown[from]}
		if strings.Contains(line, "Unknown command") {
			r.Reason = "FRR does not know this form"
		}
		out = append(out, r)
	}
	if len(out) == 0 { // a complaint without a line is still one
		for _, reason := range reasons {
			out = append(out, Refusal{Reason: reason})
		}
		return out
	}
	open := 0
	for _, r := range out {
		if r.Reason == "" {
			open++
		}
	}
	next := 0
	for i := range out {
		switch {
		case out[i].Reason != "":
		case open == len(reasons):
			out[i].Reason = reasons[next]
			next++
		case len(reasons) > 0:
			out[i].Reason = strings.Join(reasons, "; ")
		default:
			out[i].Reason = "FRR gave no reason"
		}
	}
	return slices.CompactFunc(out, func(a, b Refusal) bool { return a.Line == b.Line && a.Reason == b.Reason })
}
