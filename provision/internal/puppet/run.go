package puppet

import (
	"regexp"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/internal/facts"
)

// NotePath is where a run notes that it may have disabled a host's agent: that is how the
// next one, which looks at nothing else of Puppet's where nothing is to be changed, finds
// what a run that was killed has left. Its ending makes the first look bring its text.
const NotePath = "/var/lib/drover/puppet.drover"

// UnitPrefix begins the names of the timers that enable an agent when no drover does.
const UnitPrefix = "drover-puppet-"

// Run is a run of drover, as hosts are told of it.
type Run struct {
	ID    string // 16 hexadecimal digits
	Owner string // who runs it, and where
	What  string // the command
	Since time.Time
}

// Reason is why an agent is disabled, in letters that no JSON and no shell writes
// otherwise.
func (r Run) Reason() string {
	text := "drover run " + r.ID + ": " + r.What + " by " + r.Owner + ", since " + r.Since.UTC().Format(time.RFC3339)
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(" ._@:/=,+-", c) {
			return c
		}
		return '_'
	}, text)
}

var ofDrover = regexp.MustCompile(`^drover run ([0-9a-f]+):`)

// ByRun is the run of drover that gave a reason, "" when somebody else did.
func ByRun(reason string) string {
	m := ofDrover.FindStringSubmatch(reason)
	if m == nil {
		return ""
	}
	return m[1]
}

// Note is what a run has noted on a host.
type Note struct {
	Run   string
	Since string
	Lock  string // the file by which it disables the agent
}

// NoteOf is the note that was seen; false when there is none.
func NoteOf(snap facts.Snapshot) (Note, bool) {
	text, there := snap.Texts[NotePath]
	return parseNote(text), there
}

func parseNote(text string) (n Note) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "run":
			n.Run = value
		case "since":
			n.Since = value
		case "lock":
			n.Lock = value
		}
	}
	return n
}
