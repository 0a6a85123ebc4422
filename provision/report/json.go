package report

import (
	"bytes"
	"encoding/json"
	"time"
)

// SchemaVersion is that of the lines below. Within a version fields may be added,
// and kinds; none changes its meaning.
const SchemaVersion = 1

// Line is what every line of events has, and what begins it.
type Line struct {
	SchemaVersion int       `json:"schema_version"`
	Time          time.Time `json:"time"`
	Kind          Kind      `json:"kind"`
}

// NewLine begins a line. Its time is in UTC, to the microsecond.
func NewLine(at time.Time, k Kind) Line {
	return Line{SchemaVersion, at.UTC().Truncate(time.Microsecond), k}
}

// CommandRan is the kind of a Command's line.
const CommandRan Kind = "command"

// JSON is the event as a line of JSON. Clean is applied to what people wrote or
// programs said.
func (e Event) JSON(clean func(string) string) []byte {
	line := struct {
		Line
		Host   string `json:"host,omitempty"`
		ID     string `json:"id,omitempty"`
		Action string `json:"action,omitempty"`
		Text   string `json:"text,omitempty"`
		Error  string `json:"error,omitempty"`
		TookMS *int64 `json:"took_ms,omitempty"`
	}{Line: NewLine(e.Time, e.Kind), Host: e.On(), ID: string(e.ID), Action: string(e.Action), Text: clean(e.Text)}
	if e.Err != nil {
		line.Error = clean(e.Err.Error())
	}
	switch e.Kind {
	case Done, Failed, Cut, HostDone, HostFailed:
		took := e.Took.Milliseconds()
		line.TookMS = &took
	}
	return JSONLine(line)
}

// JSON is the command as a line of JSON.
func (c Command) JSON(clean func(string) string) []byte {
	line := struct {
		Line
		Host     string `json:"host"`
		Text     string `json:"text"`
		Error    string `json:"error,omitempty"`
		TookMS   int64  `json:"took_ms"`
		Exit     *int   `json:"exit,omitempty"`
		Sent     int64  `json:"sent"`
		Received int64  `json:"received"`
	}{
		Line: NewLine(c.Start, CommandRan), Host: c.Host, Text: clean(c.Text),
		TookMS: c.Took.Milliseconds(), Sent: c.Sent, Received: c.Received,
	}
	if c.Err != nil {
		line.Error = clean(c.Err.Error())
	} else {
		line.Exit = &c.Exit
	}
	return JSONLine(line)
}

// JSONLine is any value as one line.
func JSONLine(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// What is in the lines above can always be encoded; who has other values sees
	// the error in place of the line.
	if err := e.Encode(v); err != nil {
		return []byte("{\"error\":\"a line that cannot be encoded\"}\n")
	}
	return b.Bytes()
}
