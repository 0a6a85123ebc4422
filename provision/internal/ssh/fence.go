package ssh

import (
	"bytes"
	"io"
	"strings"
	"sync/atomic"
)

// fence keeps what comes after a marker's line: what login shells, sudo and PAM
// print before a command begins is not the command's.
type fence struct {
	marker  string // with its newline
	prompt  string // sudo's, "" when it has none
	text    bytes.Buffer
	open    bool
	prompts int
	scanned int           // of text, for prompts
	got     *atomic.Int64 // when not nil, the bytes that came

	opened  func()       // at the marker
	lead    string       // of the line that line is told
	line    func(string) // when not nil, is told the rest of the first line after it that begins with lead
	refused func()       // at a second prompt: the password was wrong
}

func (f *fence) Write(b []byte) (int, error) {
	f.text.Write(b)
	if f.got != nil {
		f.got.Add(int64(len(b)))
	}
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

// chunk is how much of an output is read at once, and most how much of an input is
// sent: most commands say and are told little, and of a thousand hosts each has one
// under way.
const (
	chunk = 4 << 10
	most  = 32 << 10
)

// ReadFrom reads all that comes, with less room than io.Copy would take.
func (f *fence) ReadFrom(r io.Reader) (int64, error) {
	var all int64
	for room := make([]byte, chunk); ; {
		n, err := r.Read(room)
		all += int64(n)
		if n > 0 {
			_, _ = f.Write(room[:n]) // it never fails
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// room is what it takes to send an input.
func room(input io.Reader) []byte {
	if sized, ok := input.(interface{ Len() int }); ok {
		return make([]byte, min(max(sized.Len(), 1), most))
	}
	return make([]byte, most)
}

// tell passes the line that is waited for on, once, when it is whole. What comes
// before it some shell has printed.
func (f *fence) tell() {
	if f.line == nil {
		return
	}
	for text := range strings.Lines(f.text.String()) {
		rest, ours := strings.CutPrefix(text, f.lead)
		if line, whole := strings.CutSuffix(rest, "\n"); ours && whole {
			f.line(line)
			f.line = nil
			return
		}
	}
}

// said is everything without our own prompts.
func (f *fence) said() string {
	if f.prompt == "" {
		return f.text.String()
	}
	return strings.ReplaceAll(f.text.String(), f.prompt, "")
}
