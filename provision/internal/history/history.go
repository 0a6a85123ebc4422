package history

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
)

// Dir is where a master keeps it.
const Dir = "/var/lib/drover/history"

// keep is how many lines are kept: a run has two.
const keep = 400

// Outcome is how a run ended.
type Outcome string

// The outcomes. A run that was killed stays begun.
const (
	Begun   Outcome = "begun"
	Done    Outcome = "done"
	Failed  Outcome = "failed"
	Stopped Outcome = "stopped" // by a signal, or because the fleet's lock was lost
)

// Run is one run that held the fleet's lock.
type Run struct {
	SchemaVersion int       `json:"schema_version"`
	Run           string    `json:"run"`
	Epoch         uint64    `json:"epoch"` // of the fleet's lock
	Owner         string    `json:"owner"` // user@host
	Command       string    `json:"command"`
	Inventory     string    `json:"inventory"` // digest of what it says, without its secrets
	Began         time.Time `json:"began"`
	Ended         time.Time `json:"ended,omitzero"`
	Outcome       Outcome   `json:"outcome"`
	// Changes are how many changes ended how: done, failed, skipped, left, cut.
	Changes map[string]int `json:"changes,omitempty"`
	// IDs are some of those that were done, and More how many there are besides.
	IDs  []string `json:"ids,omitempty"`
	More int      `json:"more,omitempty"`
	// Gone are machines that it took out of the cluster, or was to before it was killed.
	Gone []Machine `json:"gone,omitempty"`
	// Leaving are those that it was to remove, whether it did or not.
	Leaving []Machine `json:"leaving,omitempty"`
}

// Machine is one that was a host of the cluster.
type Machine struct {
	Name  string `json:"name"`
	ID    string `json:"machine_id,omitempty"` // empty when nobody knew it
	Reset bool   `json:"reset"`                // nothing of drover's is on it any more
	// Address is where it was; invalid when nobody knew.
	Address netip.Addr `json:"address,omitzero"`
}

// Removed is a machine that was taken out of the cluster with all that it had.
type Removed struct {
	Machine
	When time.Time
}

// Unreset are the machines that were removed and not reset since, as far as is
// remembered. Of one of which only the name is known, no reset is known either.
func Unreset(runs []Run) []Removed {
	var out []Removed
	for _, r := range runs {
		for _, m := range r.Gone {
			out = slices.DeleteFunc(out, func(o Removed) bool { return m.ID != "" && o.ID == m.ID })
			if !m.Reset {
				out = append(out, Removed{m, r.Began})
			}
		}
	}
	return out
}

// Unfinished is what the last run that was to remove a machine of this name knew of it,
// when that run did not come to its end.
func Unfinished(runs []Run, name string) (m Machine, unfinished bool) {
	for _, r := range runs {
		for _, l := range r.Leaving {
			if l.Name == name {
				m, unfinished = l, r.Outcome != Done
			}
		}
	}
	return m, unfinished
}

// MostIDs is how many changes are named.
const MostIDs = 30

//go:embed history.sh
var script string

const limit = 10 * time.Second

// Append has a host remember a run.
func Append(ctx context.Context, w host.Writer, r Run) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Run(ctx, command("append", string(line)))
	return err
}

func command(verb, line string) host.Cmd {
	return host.Cmd{Argv: []string{"sh", "-c", script, "drover-history", verb, Dir, strconv.Itoa(keep), line}, Limit: limit}
}

// Read is what a host remembers, a line each.
func Read(ctx context.Context, h host.Reader) ([]Run, error) {
	res, err := h.Probe(ctx, command("show", ""))
	if err != nil {
		return nil, err
	}
	_, text, began := strings.Cut("\n"+string(res.Stdout), "\n@@drover-history@@ begin\n")
	text, whole := strings.CutSuffix(text, "@@drover-history@@ end\n")
	if res.Exit != 0 || !began || !whole {
		return nil, fmt.Errorf("%s: reading its history: exit code %d: %s", h.Name(), res.Exit, strings.TrimSpace(string(res.Stderr)))
	}
	var runs []Run
	for line := range strings.Lines(text) {
		var r Run
		if json.Unmarshal([]byte(line), &r) == nil && r.Run != "" { // else somebody else wrote it
			runs = append(runs, r)
		}
	}
	return runs, nil
}

// Merge makes one list of what several hosts remember, the oldest run first. Of a
// run, its end counts.
func Merge(all ...[]Run) []Run {
	byRun := map[string]Run{}
	for _, r := range slices.Concat(all...) {
		if have, known := byRun[r.Run]; !known || have.Outcome == Begun {
			byRun[r.Run] = r
		}
	}
	runs := make([]Run, 0, len(byRun))
	for _, r := range byRun {
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b Run) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), a.Began.Compare(b.Began), cmp.Compare(a.Run, b.Run))
	})
	return runs
}
