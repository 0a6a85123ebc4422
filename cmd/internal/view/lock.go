package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision"
)

// lockJSON is who holds the fleet's lock.
type lockJSON struct {
	SchemaVersion int              `json:"schema_version"`
	Cluster       string           `json:"cluster"`
	Held          bool             `json:"held"`
	Holder        *lockClaimJSON   `json:"holder,omitempty"`
	Masters       []lockMasterJSON `json:"masters"`
}

type lockClaimJSON struct {
	Run         string    `json:"run"`
	Epoch       uint64    `json:"epoch"`
	Owner       string    `json:"owner"`
	PID         int       `json:"pid"`
	Reason      string    `json:"reason"`
	Since       time.Time `json:"since"`
	AgeSeconds  int       `json:"age_s"`
	LeftSeconds int       `json:"lease_left_s"`
}

type lockMasterJSON struct {
	Name     string         `json:"name"`
	Away     string         `json:"away,omitempty"`
	Released bool           `json:"released,omitempty"`
	Claim    *lockClaimJSON `json:"claim,omitempty"`
}

func claimJSON(e provision.LockEntry) *lockClaimJSON {
	if e.Run == "" {
		return nil
	}
	return &lockClaimJSON{e.Run, e.Epoch, e.Owner, e.PID, e.Reason, e.Since, int(e.Age.Seconds()), int(e.Left.Seconds())}
}

// Lock shows who holds the fleet's lock.
func (v View) Lock(s provision.LockState, f Format) error {
	names := slices.Sorted(maps.Keys(s.Masters))
	if f == JSON {
		out := lockJSON{SchemaVersion: 1, Cluster: s.Cluster, Held: s.Held, Masters: []lockMasterJSON{}}
		if s.Held {
			out.Holder = claimJSON(s.Entry)
		}
		for _, name := range names {
			out.Masters = append(out.Masters, lockMasterJSON{Name: name, Released: s.Masters[name].Released, Claim: claimJSON(s.Masters[name])})
		}
		for _, name := range slices.Sorted(maps.Keys(s.Away)) {
			out.Masters = append(out.Masters, lockMasterJSON{Name: name, Away: s.Away[name].Error()})
		}
		return v.json(out)
	}
	if len(names) == 0 {
		return nil // nobody could be asked, as was told
	}
	var b strings.Builder
	switch {
	case s.Held:
		fmt.Fprintf(&b, "held: %s\n", v.told(s.Entry.Words()))
	case s.Claimed():
		fmt.Fprintf(&b, "claimed, but not on more than half of the masters: %s\n", v.told(s.Entry.Words()))
	case s.Entry.Run == "":
		fmt.Fprintln(&b, "free: nobody has held it yet")
	case s.Entry.Released:
		fmt.Fprintf(&b, "free: last held by %s, for %q (epoch %d)\n", v.told(s.Entry.Owner), s.Entry.Reason, s.Entry.Epoch)
	default:
		fmt.Fprintf(&b, "free: the lease of %s, for %q, has ended (epoch %d): that run did not give it back\n", v.told(s.Entry.Owner), s.Entry.Reason, s.Entry.Epoch)
	}
	if len(names) > 1 {
		var rows []string
		for _, name := range names {
			rows = append(rows, "  "+name+"\t"+claimWords(s.Masters[name]))
		}
		table(&b, rows)
	}
	return v.Line(strings.TrimRight(b.String(), "\n"))
}

func claimWords(e provision.LockEntry) string {
	switch {
	case e.Run == "":
		return "no claim"
	case e.Released:
		return fmt.Sprintf("epoch %d, given back", e.Epoch)
	case e.Free():
		return fmt.Sprintf("epoch %d, its lease has ended", e.Epoch)
	}
	return fmt.Sprintf("epoch %d, good for %s", e.Epoch, e.Left)
}

// historyJSON is what the masters remember.
type historyJSON struct {
	SchemaVersion int             `json:"schema_version"`
	Runs          []provision.Run `json:"runs"`
}

// History shows runs, the latest last. running is the one that is under way.
func (v View) History(runs []provision.Run, running string, f Format) error {
	if f == JSON {
		return v.json(historyJSON{1, list(runs)})
	}
	if len(runs) == 0 {
		return v.Line("no run has changed anything yet.")
	}
	var rows []string
	for _, r := range runs {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", r.Began.Local().Format("2006-01-02 15:04:05"), v.told(r.Owner), v.told(r.Command), v.told(runWords(r, running))))
	}
	var b strings.Builder
	table(&b, rows)
	return v.Line(strings.TrimRight(b.String(), "\n"))
}

func runWords(r provision.Run, running string) string {
	if r.Ended.IsZero() {
		if r.Run == running {
			return "under way"
		}
		return "begun, and never ended: it was killed, or lost the masters"
	}
	text := fmt.Sprintf("%s in %s", r.Outcome, r.Ended.Sub(r.Began).Round(time.Second))
	for i, kind := range slices.Sorted(maps.Keys(r.Changes)) {
		mark := ", "
		if i == 0 {
			mark = ": "
		}
		text += fmt.Sprintf("%s%d %s", mark, r.Changes[kind], kind)
	}
	return text
}
