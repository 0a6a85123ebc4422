package ssh

import (
	"bytes"
	"strings"
)

// fence keeps what comes after a marker's line: what login shells, sudo and PAM
// print before a command begins is not the command's.
type fence struct {
	marker  string // with its newline
	prompt  string // sudo's, "" when it has none
	text    bytes.Buffer
	open    bool
	prompts int
	scanned int // of text, for prompts

	opened  func()       // at the marker
	line    func(string) // when not nil, is told the first line after it
	refused func()       // at a second prompt: the password was wrong
}

func (f *fence) Write(b []byte) (int, error) {
	f.text.Write(b)
	if f.open {
		f.tell()
		return len(b), nil
	}
	if at := bytes.Index(f.text.Bytes(), []byte(f.marker)); at >= 0 {
		f.text.Next(at + len(f.marker))
		f.open = true
		f.opened()
		f.tell()
		return len(b), nil
	}
	for f.prompt != "" {
		at := bytes.Index(f.text.Bytes()[f.scanned:], []byte(f.prompt))
		if at < 0 {
			break
		}
		f.scanned += at + len(f.prompt)
		if f.prompts++; f.prompts == 2 {
			f.refused()
		}
	}
	return len(b), nil
}

// tell passes the first line on, once, when it is whole.
func (f *fence) tell() {
	if f.line == nil {
		return
	}
	if line, _, whole := strings.Cut(f.text.String(), "\n"); whole {
		f.line(line)
		f.line = nil
	}
}

// said is everything without our own prompts.
func (f *fence) said() string {
	if f.prompt == "" {
		return f.text.String()
	}
	return strings.ReplaceAll(f.text.String(), f.prompt, "")
}
