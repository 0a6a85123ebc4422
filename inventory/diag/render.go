package diag

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Render writes the problems as text, in the order given: place and summary,
// the source line with the culprit underlined, the detail, the fix.
func (ps Problems) Render(w io.Writer) error {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('\n')
		}
		p.render(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p Problem) render(b *strings.Builder) {
	fmt.Fprintln(b, printable(p.Error()))
	if p.At != nil && p.Source != "" {
		number := fmt.Sprint(p.At.Start.Line)
		gutter := strings.Repeat(" ", len(number))
		fmt.Fprintf(b, "  %s | %s\n", number, printable(p.Source))
		fmt.Fprintf(b, "  %s | %s\n", gutter, underline(p.Source, *p.At))
	}
	for _, line := range strings.Split(p.Detail, "\n") {
		if line != "" {
			fmt.Fprintf(b, "  %s\n", printable(line))
		}
	}
	if p.Fix != "" {
		fmt.Fprintf(b, "  fix: %s\n", printable(p.Fix))
	}
}

// underline marks r below its source line. Tabs before it are kept as tabs:
// how wide one is, only the terminal knows.
func underline(source string, r Range) string {
	end := r.End.Column
	if r.End.Line != r.Start.Line { // what goes on is marked to the end of its first line
		end = 1 + width(strings.TrimRightFunc(source, unicode.IsSpace))
	}
	var b strings.Builder
	column := 1
	for _, c := range source {
		if column >= r.Start.Column {
			break
		}
		switch {
		case joins(c):
			continue
		case c == '\t':
			b.WriteByte('\t')
		default:
			b.WriteByte(' ')
		}
		column++
	}
	return b.String() + strings.Repeat("^", max(1, min(end, width(source)+1)-r.Start.Column))
}

// width counts characters as a reader does: what is drawn onto the character
// before it takes no column.
func width(s string) int {
	n := 0
	for _, c := range s {
		if !joins(c) {
			n++
		}
	}
	return n
}

func joins(c rune) bool { return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf) }

// printable keeps an inventory from steering the reader's terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c != '\t' && unicode.IsControl(c) {
			return unicode.ReplacementChar
		}
		return c
	}, s)
}
