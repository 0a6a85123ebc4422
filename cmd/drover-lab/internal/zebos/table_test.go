package zebos

import (
	"strings"
	"testing"
)

// TestEveryRowHasAnExample keeps testdata/every.zebos complete: imish's tests
// give each of its lines to a real FRR, so no row is a guess.
func TestEveryRowHasAnExample(t *testing.T) {
	p := NewParser(State{})
	seen := map[*rule]bool{}
	n := 0
	for line := range strings.Lines(string(input(t, "every.zebos"))) {
		n++
		s, err := p.Parse(n, line)
		if err != nil {
			t.Fatal(err)
		}
		seen[s.rule] = true
		shown := s.rule.zebosForm.render(s.args, false)
		if s.negated {
			shown = "no " + shown
		}
		if shown != strings.TrimSpace(line) {
			t.Errorf("line %d is not as it is shown: %q", n, shown)
		}
	}
	for _, r := range rules() {
		if r.use == both && !seen[r] {
			t.Errorf("no example of %q", r.entry.zebos)
		}
	}
}

// TestTable: what the way back reads, the way there can write.
func TestTable(t *testing.T) {
	for _, r := range rules() {
		if len(r.zebosForm) == 0 || r.use == both && r.backForm == nil {
			t.Errorf("%q cannot be shown back", r.entry.zebos)
		}
		var names func(p pattern) []string
		names = func(p pattern) (out []string) {
			for _, e := range p {
				if e.name != "" {
					out = append(out, e.name)
				}
				out = append(out, names(e.opt)...)
			}
			return out
		}
		given := strings.Join(names(r.zebosForm), " ")
		for _, n := range names(r.frrForm) {
			if !strings.Contains(given, n) {
				t.Errorf("%q: FRR's form wants %q", r.entry.zebos, n)
			}
		}
	}
}
