package resource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/artifact"
	"github.com/droverctl/drover/provision/internal/cluster"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/fanout"
	"github.com/droverctl/drover/provision/plan"
)

// Resource is one thing that is wanted.
type Resource interface {
	// Item is the thing as the plan shows it. Pure.
	Item() plan.Item
	// Scope is what must be looked at on the item's host to observe it.
	Scope() facts.Scope
	// Observe tells how the thing is now. It changes nothing.
	Observe(ctx context.Context, seen Seen) (plan.State, error)
	// Apply makes it as wanted. It is only called when a change is pending.
	Apply(ctx context.Context, w World, c plan.Change) error
}

// Written is a thing that is made by writing files and by nothing else: what of
// it is due on a host at the same time goes there with one command.
type Written interface {
	Resource
	// Files are what is to be written, in this order.
	Files(c plan.Change) ([]host.File, error)
}

// Guarded is a thing that others can do without only while there are enough of its
// kind.
type Guarded interface {
	Resource
	// Spared is nil when the thing may be disturbed now, and else says who is
	// missing. It touches nothing.
	Spared(ctx context.Context, w World) error
	// Idle tells whether the thing, as it was seen, serves nobody, so that nobody is
	// disturbed whatever is done to it.
	Idle(before plan.State) bool
}

// write makes a Written by itself.
func write(ctx context.Context, w World, r Written, c plan.Change) error {
	files, err := r.Files(c)
	if err != nil {
		return err
	}
	h, err := w.Host(r.Item().ID.Host())
	if err != nil {
		return err
	}
	return h.WriteFiles(ctx, files)
}

// Seen is what an observation works from.
type Seen struct {
	Hosts map[string]facts.Snapshot
	// Cluster looks at the cluster itself; it answers ErrNoCluster while there is
	// none.
	Cluster *cluster.Access
}

// World is what a change may touch. Only the engine has one.
type World struct {
	Hosts   map[string]host.Writer
	Cluster *cluster.Access
	// Releases sends hosts what they do not fetch themselves.
	Releases *artifact.Store
	// Peers has hosts hand releases on to each other; nil when they do not.
	Peers *fanout.Peers
	// Waiting is told what is waited for and how it last looked.
	Waiting func(string)
	// Note is told what is worth knowing of what was done; may be nil.
	Note func(string)
}

// Say tells what is worth knowing of what was done.
func (w World) Say(text string) {
	if w.Note != nil {
		w.Note(text)
	}
}

// Host is the writer of one host.
func (w World) Host(name string) (host.Writer, error) {
	h, ok := w.Hosts[name]
	if !ok {
		return nil, fmt.Errorf("%s: no connection to it", name)
	}
	return h, nil
}

// snapshot is what was seen of the host an ID is on.
func (s Seen) snapshot(id plan.ID) (facts.Snapshot, error) {
	snap, ok := s.Hosts[id.Host()]
	if !ok {
		return snap, fmt.Errorf("%s: its host was not looked at", id)
	}
	return snap, nil
}

// digest is how contents are named in states.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// DigestOf names a set of states in one word: what a unit was started with.
func DigestOf(items ...plan.Item) string {
	text := make([]byte, 0, 8<<10)
	word := func(w string) {
		text = append(append(strconv.AppendInt(text, int64(len(w)), 10), ':'), w...)
	}
	for _, i := range items {
		text = append(append(text, i.ID.What()...), '\n')
		for _, k := range slices.Sorted(maps.Keys(i.Want)) {
			word(k)
			word(i.Want[k])
		}
	}
	return digest(text)
}

// whole makes a script that is run only when all of it has come: a connection
// that is cut in the middle looks to sh like a script that ends there.
func whole(script string) string { return "drover() {\n" + script + "\n}\ndrover\n" }
