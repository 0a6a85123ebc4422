package view

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision/report"
)

// LogFormat is how messages are shown on standard error; it is a flag.
type LogFormat string

// The formats of messages.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json" // every line a report.Event, whatever it tells
)

// String, Set and Type make LogFormat a flag.
func (f *LogFormat) String() string { return string(*f) }

// Set takes one of the formats.
func (f *LogFormat) Set(s string) error {
	switch v := LogFormat(s); v {
	case LogText, LogJSON:
		*f = v
		return nil
	}
	return fmt.Errorf("want %s or %s", LogText, LogJSON)
}

// Type is what help calls the flag's value.
func (f *LogFormat) Type() string { return "format" }

// tell keeps an event and shows it: as a line of JSON, or else as text. Where
// standard error cannot be written to, no one is left to be told.
func (v View) tell(e report.Event, text string) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if v.Keep != nil {
		v.Keep.Event(e)
	}
	if v.Log == LogJSON {
		_, _ = v.Err.Write(e.JSON(v.clean))
		return
	}
	fmt.Fprint(v.Err, text)
}

// clean takes secrets out, and what would steer a terminal: hosts may say anything.
func (v View) clean(text string) string {
	if v.Clean != nil {
		text = v.Clean(text)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, ansi.Strip(text))
}

// told is a part of a line that others wrote: it stays on it.
func (v View) told(text string) string {
	return strings.Join(strings.FieldsFunc(v.clean(text), func(r rune) bool { return r == '\n' || r == '\t' }), " ")
}

// Warn tells what an operator should know, though nothing stopped because of it.
func (v View) Warn(format string, args ...any) {
	text := v.clean(fmt.Sprintf(format, args...))
	v.tell(report.Event{Kind: report.Warning, Text: text}, "warning: "+text+"\n")
}

// Note tells what may be of use.
func (v View) Note(text string) {
	text = v.clean(text)
	v.tell(report.Event{Kind: report.Note, Text: text}, text+"\n")
}

// Ask asks the operator for a line.
func (v View) Ask(text string) {
	v.tell(report.Event{Kind: report.Question, Text: text}, "\n"+text+": ")
}

// Problems tells of problems; whether they stop anything is said elsewhere.
func (v View) Problems(ps diag.Problems) {
	for _, p := range ps {
		kind := report.Error
		if p.Severity == diag.Warning {
			kind = report.Warning
		}
		text := p.Error()
		for _, more := range []string{p.Detail, p.Fix} {
			if more != "" {
				text += "; " + more
			}
		}
		v.tell(report.Event{Kind: kind, Host: p.Host, Text: v.clean(text)}, "")
	}
	if v.Log != LogJSON {
		_ = ps.Render(v.Err)
	}
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
		v.failed(err)
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
			v.failed(e)
		}
	}
}

func (v View) failed(err error) {
	v.tell(report.Event{Kind: report.Error, Err: err}, "drover: "+v.clean(err.Error())+"\n")
}
