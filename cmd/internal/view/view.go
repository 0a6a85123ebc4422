package view

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/droverctl/drover/inventory/diag"
)

// View writes to a command's streams.
type View struct {
	Out, Err io.Writer
}

// Format is how data is shown; it is a flag.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

// String, Set and Type make Format a flag.
func (f *Format) String() string { return string(*f) }

// Set takes one of the formats.
func (f *Format) Set(s string) error {
	switch v := Format(s); v {
	case Text, JSON:
		*f = v
		return nil
	}
	return fmt.Errorf("want %s or %s", Text, JSON)
}

// Type is what help calls the flag's value.
func (f *Format) Type() string { return "format" }

// Line prints one line of data.
func (v View) Line(s string) error {
	_, err := fmt.Fprintln(v.Out, s)
	return err
}

// Problems tells of problems; whether they stop anything is said elsewhere.
func (v View) Problems(ps diag.Problems) {
	// Where standard error cannot be written to, no one is left to be told.
	_ = ps.Render(v.Err)
}

// Warn tells what an operator should know, though nothing stopped because of it.
func (v View) Warn(format string, args ...any) {
	fmt.Fprintf(v.Err, "warning: "+format+"\n", args...)
}

// Error tells why a command failed. A quiet error was shown already.
func (v View) Error(err error, quiet bool) {
	var problems diag.Problems
	switch {
	case err == nil || quiet:
	case errors.As(err, &problems):
		v.Problems(problems)
		v.besides(err)
	default:
		fmt.Fprintf(v.Err, "drover: %v\n", err)
	}
}

// besides tells what was joined to problems, as why a host could not be asked.
func (v View) besides(err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if _, alone := err.(diag.Problems); alone || !ok {
		return
	}
	for _, e := range joined.Unwrap() {
		if !errors.As(e, new(diag.Problems)) {
			fmt.Fprintf(v.Err, "drover: %v\n", e)
		}
	}
}

// json writes a document.
func (v View) json(document any) error {
	e := json.NewEncoder(v.Out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(document)
}

// problem is diag.Problem in JSON.
type problem struct {
	Code     string        `json:"code"`
	Severity diag.Severity `json:"severity"`
	File     string        `json:"file,omitempty"`
	Line     int           `json:"line,omitempty"`
	Column   int           `json:"column,omitempty"`
	Host     string        `json:"host,omitempty"`
	Summary  string        `json:"summary"`
	Detail   string        `json:"detail,omitempty"`
	Fix      string        `json:"fix"`
	Source   string        `json:"source,omitempty"`
}

func problemsJSON(ps diag.Problems) []problem {
	list := make([]problem, 0, len(ps))
	for _, p := range ps {
		j := problem{
			Code: p.Code, Severity: p.Severity, Host: p.Host,
			Summary: p.Summary, Detail: p.Detail, Fix: p.Fix, Source: p.Source,
		}
		if p.At != nil {
			j.File, j.Line, j.Column = p.At.File, p.At.Start.Line, p.At.Start.Column
		}
		list = append(list, j)
	}
	return list
}
