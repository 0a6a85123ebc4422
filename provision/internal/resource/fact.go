package resource

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/plan"
)

// FactPath is the one place for external facts that Facter reads as root in every
// packaging: Debian's knows no other.
const FactPath = "/etc/facter/facts.d/drover.json"

// Fact is what a host's Facter, and by it Puppet, can tell of drover's work there: an
// external fact. It moves only when the host does.
type Fact struct {
	Host, Cluster, Role string
	// Versions are those of the components that are installed there.
	Versions map[string]string
	// Own are the things that are wanted of this host. The fact names their state, and
	// a change of one of them is the host's last change.
	Own []plan.Item
	// Among says which of them are wanted in this run; nil is all.
	Among func(plan.ID) bool
	Now   func() time.Time

	state string // the digest of Own, once it was worked out
	tells []plan.ID
}

// Noted is the same fact, for which the digest of what is wanted is worked out once.
func (f Fact) Noted() Fact {
	own := slices.Clone(f.Own)
	slices.SortFunc(own, func(a, b plan.Item) int { return strings.Compare(string(a.ID), string(b.ID)) })
	f.state, f.tells = DigestOf(own...), ends(own)
	if f.Among != nil {
		f.tells = slices.DeleteFunc(f.tells, func(id plan.ID) bool { return !f.Among(id) })
	}
	f.Own = nil // a thousand hosts have as many
	return f
}

// FactID is that of a host's fact.
func FactID(hostname string) plan.ID { return plan.NewID(hostname, "fact", "drover") }

// Item is the fact without the time of the host's last change: that is known only when
// something is changed.
func (f Fact) Item() plan.Item {
	if f.state == "" {
		f = f.Noted()
	}
	want := f.content().state()
	want["mode"], want["owner"] = modeWord(0o644), ownerWord("")
	return plan.Item{ID: FactID(f.Host), Want: want, Tells: f.tells}
}

// ends are the items that no other of them reads: whatever is changed changes one of
// these as well.
func ends(items []plan.Item) []plan.ID {
	read := map[plan.ID]bool{}
	for _, i := range items {
		for _, id := range i.Triggers {
			read[id] = true
		}
	}
	var out []plan.ID
	for _, i := range items {
		if !read[i.ID] {
			out = append(out, i.ID)
		}
	}
	return out
}

// factContent is the fact's content.
type factContent struct {
	Cluster  string            `json:"cluster"`
	Role     string            `json:"role"`
	Versions map[string]string `json:"versions"`
	State    string            `json:"state"`
	Changed  string            `json:"changed"`
}

func (f Fact) content() factContent {
	return factContent{Cluster: f.Cluster, Role: f.Role, Versions: f.Versions, State: f.state}
}

// state is a content in a plan's words.
func (c factContent) state() plan.State {
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(c.Versions)) {
		versions = append(versions, name+" "+c.Versions[name])
	}
	return plan.State{"cluster": c.Cluster, "role": c.Role, "versions": strings.Join(versions, ", "), "state": c.State}
}

func (c factContent) text() ([]byte, error) {
	text, err := json.MarshalIndent(map[string]factContent{"drover": c}, "", "  ")
	return append(text, '\n'), err
}

// Scope is the fact's file.
func (f Fact) Scope() facts.Scope { return facts.Scope{Paths: []string{FactPath}} }

// Observe tells what the fact says.
func (f Fact) Observe(_ context.Context, seen Seen) (plan.State, error) {
	snap, err := seen.snapshot(FactID(f.Host))
	if err != nil {
		return nil, err
	}
	file, err := fileState(snap, FactPath)
	if err != nil || file["mode"] == "" { // absent, or no file
		return file, err
	}
	c, err := parseFact(snap.Texts[FactPath])
	if err != nil {
		return plan.State{"content": err.Error()}, nil //nolint:nilerr // it is a finding
	}
	s := c.state()
	s["mode"], s["owner"] = file["mode"], file["owner"]
	if s["mode"] == modeWord(changingMode) {
		s["mode"] += ", as of a host whose change was cut off"
	}
	return s, nil
}

// changingMode is the fact's mode while its host is changed: all can read it as before,
// and a run that is cut off before it can tell of what it has done leaves it behind, by
// which the next one finds that the host may have changed.
const changingMode = 0o444

// Changing marks a host's fact, if there is one, before the host is changed.
func Changing(ctx context.Context, w host.Writer) error {
	const script = `: drover-fact-changing; [ ! -f "$1" ] || chmod -- "$2" "$1"`
	_, err := w.Run(ctx, host.Cmd{Argv: []string{"sh", "-c", script, "drover-fact-changing", FactPath, fmt.Sprintf("%04o", changingMode)}})
	return err
}

// parseFact reads what drover has written, and nothing else.
func parseFact(text string) (factContent, error) {
	var have map[string]factContent
	if err := json.Unmarshal([]byte(text), &have); err != nil {
		return factContent{}, fmt.Errorf("no JSON that drover wrote")
	}
	c := have["drover"]
	again, err := c.text()
	if err == nil && !bytes.Equal(bytes.TrimSpace(again), []byte(strings.TrimSpace(text))) {
		err = fmt.Errorf("not as drover writes it")
	}
	if _, terr := time.Parse(time.RFC3339, c.Changed); err == nil && terr != nil {
		err = fmt.Errorf("without the time of the last change")
	}
	return c, err
}

// Files is the fact, with this moment as that of the host's last change.
func (f Fact) Files(plan.Change) ([]host.File, error) {
	if f.state == "" {
		f = f.Noted()
	}
	c := f.content()
	c.Changed = f.Now().UTC().Format(time.RFC3339)
	text, err := c.text()
	return []host.File{{Path: FactPath, Content: text, FileMeta: host.FileMeta{Mode: 0o644}}}, err
}

// Apply writes the fact.
func (f Fact) Apply(ctx context.Context, w World, c plan.Change) error { return write(ctx, w, f, c) }
