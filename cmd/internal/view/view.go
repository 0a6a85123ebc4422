package view

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/report"
)

// View writes to a command's streams: data to Out, messages to Err.
type View struct {
	Out, Err io.Writer
	// Log is how messages are shown.
	Log LogFormat
	// Screen is the terminal behind Err, nil where there is none to draw on.
	Screen *Screen
	// Keep is told of every message as well; may be nil.
	Keep report.Sink
	// Clean takes secrets out of messages; nil takes out none.
	Clean func(string) string
}

// Format is how data is shown; it is a flag.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
	HTML Format = "html" // of few things: FormatOrHTML takes it
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

// FormatOrHTML is a Format, or a page to pass on; it is a flag as well.
type FormatOrHTML struct{ Format }

// Set takes one of the formats, or html.
func (f *FormatOrHTML) Set(s string) error {
	if s != string(HTML) && f.Format.Set(s) != nil {
		return fmt.Errorf("want %s, %s or %s", Text, JSON, HTML)
	}
	f.Format = Format(s)
	return nil
}

// Line prints one line of data.
func (v View) Line(s string) error {
	_, err := fmt.Fprintln(v.Out, s)
	return err
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
