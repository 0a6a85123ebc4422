package runlog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/droverctl/drover/provision/report"
)

// Header is what was run, on what, by whom.
type Header struct {
	Command string   `json:"command"`         // "apply", "bgp status"
	Args    []string `json:"args,omitempty"`  // without flags
	Flags   []string `json:"flags,omitempty"` // those given, NAME=VALUE; of variables only the names
	// Inventory and InventorySHA256 are its files, and a digest of them.
	Inventory       []string `json:"inventory,omitempty"`
	InventorySHA256 string   `json:"inventory_sha256,omitempty"`
	Drover          string   `json:"drover"` // version
	User            string   `json:"user"`
	SudoUser        string   `json:"sudo_user,omitempty"`
	Machine         string   `json:"machine"` // where drover runs
	PID             int      `json:"pid"`
}

// Digest is of files: of their names without directories and their contents. A
// file that cannot be read counts as one that says so.
func Digest(files []string) string {
	sum := sha256.New()
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			content = []byte("unreadable")
		}
		fmt.Fprintf(sum, "%q %d\n", filepath.Base(name), len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Options are where and how a log is kept.
type Options struct {
	Dir string // "" is the default
	// Getenv is the environment.
	Getenv func(string) string
	// Clean takes secrets out of all text.
	Clean func(string) string
	// Trouble is told, once, when the log cannot be written any more.
	Trouble func(error)
	Now     func() time.Time
}

// Log is the log of one run. A nil Log keeps nothing. It is a report.Sink.
type Log struct {
	o     Options
	path  string
	start time.Time

	mu   sync.Mutex
	file *os.File // nil once it is closed, or cannot be written
}

var _ report.Sink = (*Log)(nil)

// Open begins a log. An error leaves no log, and is nothing to stop for.
func Open(h Header, o Options) (*Log, error) {
	if o.Dir == None {
		return nil, nil
	}
	dir, own := o.Dir, false
	if dir == "" {
		var err error
		if dir, err = Dir(o.Getenv); err != nil {
			return nil, err
		}
		own = true
	}
	if err := prepare(dir, own); err != nil {
		return nil, err
	}
	l := &Log{o: o, start: o.Now()}
	command := strings.ReplaceAll(h.Command, " ", "-")
	l.path = filepath.Join(dir, fileName(l.start, command))
	var err error
	if l.file, err = os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	l.begin(h)
	if err := prune(dir, command); err != nil {
		o.Trouble(fmt.Errorf("old logs stay: %w", err))
	}
	return l, nil
}

func (l *Log) begin(h Header) {
	for _, list := range [][]string{h.Args, h.Flags} {
		for i := range list {
			list[i] = l.o.Clean(list[i])
		}
	}
	l.write(report.JSONLine(struct {
		report.Line
		Header
	}{report.NewLine(l.start, "run"), h}))
}

// Path is where the log is, "" when there is none.
func (l *Log) Path() string {
	if l == nil {
		return ""
	}
	return l.path
}

// Event keeps an event.
func (l *Log) Event(e report.Event) {
	if l != nil {
		l.write(e.JSON(l.o.Clean))
	}
}

// Command keeps a command that a host was asked to run.
func (l *Log) Command(c report.Command) {
	if l != nil {
		l.write(c.JSON(l.o.Clean))
	}
}

// End ends the log with the exit code.
func (l *Log) End(code int) {
	if l == nil {
		return
	}
	now := l.o.Now()
	l.write(report.JSONLine(struct {
		report.Line
		ExitCode int   `json:"exit_code"`
		TookMS   int64 `json:"took_ms"`
	}{report.NewLine(now, "end"), code, now.Sub(l.start).Milliseconds()}))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return
	}
	err := l.file.Close()
	l.file = nil
	if err != nil {
		l.o.Trouble(fmt.Errorf("%s is not complete: %w", l.path, err))
	}
}

// write writes a line whole, or gives the log up.
func (l *Log) write(line []byte) {
	if err := l.try(line); err != nil { // told without the lock: it may come back as a warning to keep
		l.o.Trouble(fmt.Errorf("%s is not complete: %w", l.path, err))
	}
}

func (l *Log) try(line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	_, err := l.file.Write(line)
	if err != nil {
		l.file.Close()
		l.file = nil
	}
	return err
}
