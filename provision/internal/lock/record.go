package lock

import (
	"bufio"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Dir is where a master keeps claims. Their names end in a way that makes the
// probe bring their text along.
const Dir = "/var/lib/drover/lock"

// Claim is who wants or holds the lock, and why. Nothing of it is secret.
type Claim struct {
	Run    string // of the drover that made it
	Owner  string // user@host
	PID    int
	Reason string // the command
	Since  time.Time
	// Inventory is a digest of the run's inventory, as sha256:…; empty in claims of
	// those that recorded none.
	Inventory string
	// Process tells the owner's process from all others on its machine; empty where
	// that cannot be told.
	Process string
}

// Entry is a claim as one master has it.
type Entry struct {
	Epoch uint64
	Claim
	Released bool
	// Left is how long the lease is good, and Age how long ago it was granted, by the
	// master's clock.
	Left, Age time.Duration
}

// Free reports whether it stands in nobody's way.
func (e Entry) Free() bool { return e.Left <= 0 }

// line is text as one line that is not too long.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}

// text is a claim as it is written.
func (c Claim) text() string {
	text := fmt.Sprintf("run=%s\nowner=%s\npid=%d\nprocess=%s\nsince=%s\nreason=%s",
		line(c.Run), line(c.Owner), c.PID, line(c.Process), c.Since.UTC().Format(time.RFC3339), line(c.Reason))
	if c.Inventory != "" {
		text += "\ninventory=" + line(c.Inventory)
	}
	return text
}

// Parse reads a claim's file. How long it is good only its master can tell.
func Parse(name, text string) (Entry, bool) {
	epoch, err := strconv.ParseUint(strings.TrimSuffix(path.Base(name), ".drover"), 10, 64)
	if err != nil {
		return Entry{}, false
	}
	e := Entry{Epoch: epoch}
	for l := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimRight(l, "\n"), "=")
		switch k {
		case "run":
			e.Run = v
		case "owner":
			e.Owner = v
		case "pid":
			e.PID, _ = strconv.Atoi(v) // 0 is unknown
		case "process":
			e.Process = v
		case "since":
			e.Since, _ = time.Parse(time.RFC3339, v) // zero is unknown
		case "reason":
			e.Reason = v
		case "inventory":
			e.Inventory = v
		case "released":
			e.Released = true
		}
	}
	return e, true
}

// answer is what a master said: what became of the call, and all claims it has.
type answer struct {
	verdict string
	entries []Entry
}

// The verdicts of the script.
const (
	granted = "granted"
	busy    = "busy"   // another's claim is good
	outrun  = "outrun" // there is a claim of a higher epoch
	gone    = "gone"   // our claim is not there any more
)

const marker = "@@drover-lock@@ "

var errCut = errors.New("its answer ended before its end")

// read reads an answer. What a shell's start-up files print comes before it.
func read(out string) (answer, error) {
	var a answer
	var body *strings.Builder
	var head string
	flush := func() error {
		if body == nil {
			return nil
		}
		var left, age int64
		var epoch string
		if _, err := fmt.Sscan(head, &epoch, &left, &age); err != nil {
			return fmt.Errorf("%q: %w", head, err)
		}
		if e, ok := Parse(epoch+".drover", body.String()); ok {
			e.Left, e.Age = time.Duration(left)*time.Second, time.Duration(age)*time.Second
			a.entries = append(a.entries, e)
		}
		body = nil
		return nil
	}
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		rest, ours := strings.CutPrefix(s.Text(), marker)
		if !ours {
			if body != nil {
				body.WriteString(s.Text() + "\n")
			}
			continue
		}
		if err := flush(); err != nil {
			return answer{}, err
		}
		switch word, more, _ := strings.Cut(rest, " "); word {
		case "claim":
			head, body = more, &strings.Builder{}
		case "end":
			a.verdict = more
		}
	}
	if a.verdict == "" {
		return answer{}, errCut
	}
	return a, nil
}

// highest is the claim of the highest epoch.
func highest(entries []Entry) (top Entry) {
	for _, e := range entries {
		if e.Epoch >= top.Epoch {
			top = e
		}
	}
	return top
}
