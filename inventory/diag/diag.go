package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a problem stops the work.
type Severity int

// The zero value is Error, so that a forgotten severity stops rather than slips through.
const (
	Error Severity = iota
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// MarshalText makes the severity readable in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Pos is a place in a file; lines and columns count characters from 1.
type Pos struct{ Line, Column int }

// Range is a piece of a file; End is the place just after its last character.
// A Range without a line means the file as a whole.
type Range struct {
	File       string
	Start, End Pos
}

func (r Range) String() string {
	if r.Start.Line == 0 {
		return r.File
	}
	return fmt.Sprintf("%s:%d:%d", r.File, r.Start.Line, r.Start.Column)
}

// Ptr is a copy of r to point at.
func (r Range) Ptr() *Range { return &r }

// Problem is one mistake, told so that its reader can end it.
type Problem struct {
	Code     string // stable: scripts and documentation refer to it
	Host     string // the host concerned, if any
	Summary  string // one line: what is wrong
	Detail   string // why it is wrong, when the summary does not say it
	Fix      string // the next step; every problem has one
	Severity Severity
	At       *Range
	Source   string // the line At starts on; empty when unknown or secret
	Err      error
}

// Error is the problem on one line, with its place.
func (p Problem) Error() string {
	var where string
	switch {
	case p.At != nil:
		where = p.At.String() + ": "
	case p.Host != "":
		where = p.Host + ": "
	}
	return where + p.Severity.String() + ": " + p.Summary
}

// Unwrap gives the cause, so that errors.Is and errors.As see it.
func (p Problem) Unwrap() error { return p.Err }

// Problems is everything that was found, not only the first of it.
type Problems []Problem

// Error lists the problems, one line each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single problems, so that errors.Is and errors.As see them.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// Err is ps as an error when something in it stops the work, else nil.
// Returning ps itself as an error would make an empty list a non-nil error.
func (ps Problems) Err() error {
	if !ps.HasErrors() {
		return nil
	}
	return ps
}

// HasErrors says whether anything in ps stops the work.
func (ps Problems) HasErrors() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// Sort orders by place; problems without one come last, and problems of one
// place keep the order they were found in.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int { return compareRange(a.At, b.At) })
}

func compareRange(a, b *Range) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return Compare(*a, *b)
}

// Compare orders ranges by file, line and column of their starts.
func Compare(a, b Range) int {
	return cmp.Or(
		cmp.Compare(a.File, b.File),
		cmp.Compare(a.Start.Line, b.Start.Line),
		cmp.Compare(a.Start.Column, b.Start.Column),
	)
}
