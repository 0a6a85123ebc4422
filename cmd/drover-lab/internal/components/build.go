package components

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components/internal/gotool"
)

// progressEvery bounds how often a set tells that it moves on.
const progressEvery = 250 * time.Millisecond

// builder makes sets. The recipes are in an order in which every set comes
// after those it needs.
type builder struct {
	cache   Cache
	recipes []recipe
	options Options
	goTool  gotool.Toolchain
}

// planned is a set with its place in the cache; record is nil when it is not there.
type planned struct {
	recipe recipe
	key    string
	dir    string
	wanted bool // else it is only needed by one that is
	record *record
}

// build makes what is missing, one set after the other: the compiler uses all
// processors by itself, and two at once would only take each other's memory.
func (b builder) build(ctx context.Context) (Set, error) {
	if b.options.Download == nil {
		var err error
		if b.goTool, err = gotool.Find(ctx); err != nil {
			return Set{}, err
		}
	}
	sets, err := b.plan()
	if err != nil {
		return Set{}, err
	}
	if err := b.preflight(sets); err != nil {
		return Set{}, err
	}
	var out Set
	dirs := map[string]string{}
	for _, p := range sets {
		if p.record == nil {
			if p.record, err = b.make(ctx, p, dirs); err != nil {
				return Set{}, err
			}
		} else if p.wanted {
			b.tell(Event{Kind: Cached, Set: p.recipe.name, Version: p.recipe.version})
		}
		dirs[p.recipe.name] = p.dir
		if p.wanted {
			out.Artifacts = append(out.Artifacts, p.record.Artifacts...)
			out.Images = append(out.Images, p.record.Images...)
		}
	}
	return out, nil
}

// plan finds the sets asked for and, unless they are there, those they need.
func (b builder) plan() ([]planned, error) {
	all := make([]planned, 0, len(b.recipes))
	keys := map[string]string{}
	for _, r := range b.recipes {
		var needs []string
		for _, n := range r.needs {
			needs = append(needs, keys[n])
		}
		key, err := r.key(b.goTool.Version, needs, b.options.Download != nil)
		if err != nil {
			return nil, err
		}
		keys[r.name] = key
		p := planned{recipe: r, key: key, dir: b.cache.setDir(r.name, key)}
		if p.record, err = load(p.dir); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return b.choose(all)
}

// choose drops the sets that are neither asked for nor needed.
func (b builder) choose(all []planned) ([]planned, error) {
	wanted := map[string]bool{}
	for _, name := range b.options.Only {
		wanted[name] = true
	}
	required := map[string]bool{}
	for i := len(all) - 1; i >= 0; i-- {
		p := &all[i]
		p.wanted = len(b.options.Only) == 0 || wanted[p.recipe.name]
		delete(wanted, p.recipe.name)
		required[p.recipe.name] = required[p.recipe.name] || p.wanted
		if required[p.recipe.name] && p.record == nil && b.options.Download == nil {
			for _, n := range p.recipe.needs {
				required[n] = true
			}
		}
	}
	var unknown []error
	for _, name := range b.options.Only { // in the order they were asked for
		if wanted[name] {
			unknown = append(unknown, fmt.Errorf("there is no component set %q: there are %s", name, strings.Join(b.names(), ", ")))
		}
	}
	var sets []planned
	for _, p := range all {
		if b.options.Download != nil && len(p.recipe.releases)+len(p.recipe.images) == 0 {
			continue // it is only there to build others from
		}
		if required[p.recipe.name] {
			sets = append(sets, p)
		}
	}
	return sets, errors.Join(unknown...)
}

func (b builder) names() []string {
	var names []string
	for _, r := range b.recipes {
		names = append(names, r.name)
	}
	return names
}

// make builds or downloads one set under its lock.
func (b builder) make(ctx context.Context, p planned, dirs map[string]string) (_ *record, err error) {
	start := time.Now()
	say := b.sayer(p, start)
	unlock, err := b.cache.lock(ctx, p.recipe.name, func() {
		b.tell(Event{Kind: Waiting, Set: p.recipe.name, Version: p.recipe.version, Line: "another process is building it"})
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	// Whoever had the lock before may have built it.
	if r, err := load(p.dir); err != nil || r != nil {
		if r != nil {
			b.tell(Event{Kind: Cached, Set: p.recipe.name, Version: p.recipe.version, Elapsed: time.Since(start)})
		}
		return r, err
	}
	start = time.Now()
	b.tell(Event{Kind: Started, Set: p.recipe.name, Version: p.recipe.version})
	w := &work{recipe: p.recipe, dir: b.cache.workDir(p.recipe.name), needs: dirs, toolchain: b.goTool, say: say}
	if err := b.fill(ctx, w); err != nil {
		// A killed build leaves its directory; one that failed need not.
		return nil, errors.Join(explain(p.recipe, b.options.Download != nil, err), os.RemoveAll(w.dir))
	}
	w.record.Set, w.record.Version, w.record.Key = p.recipe.name, p.recipe.version, p.key
	w.record.Took = time.Since(start).Round(time.Millisecond)
	dir, err := b.cache.publish(w.dir, w.record)
	if err != nil {
		return nil, err
	}
	r, err := load(dir)
	if err == nil && r == nil {
		err = fmt.Errorf("set %s: its files vanished from %s while it was built", p.recipe.name, dir)
	}
	if err != nil {
		return nil, err
	}
	b.tell(Event{Kind: Done, Set: p.recipe.name, Version: p.recipe.version, Elapsed: time.Since(start)})
	return r, nil
}

// fill makes the content of a set in an empty work directory.
func (b builder) fill(ctx context.Context, w *work) error {
	if err := os.RemoveAll(w.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(w.dir, "scratch"), 0o755); err != nil {
		return err
	}
	switch {
	case b.options.Download != nil:
		if err := w.download(ctx, *b.options.Download); err != nil {
			return err
		}
	default:
		if w.recipe.module != nil {
			if err := w.compile(ctx); err != nil {
				return err
			}
		}
		if w.recipe.pack != nil {
			if err := w.recipe.pack(ctx, w); err != nil {
				return err
			}
		}
	}
	return w.finish()
}

// explain says which set failed and what most often helps.
func explain(r recipe, download bool, err error) error {
	if len(r.apt) > 0 && !download {
		return fmt.Errorf("component set %s %s: %w\nit takes the Debian packages %s: apt-get install %[4]s",
			r.name, r.version, err, strings.Join(r.apt, " "))
	}
	return fmt.Errorf("component set %s %s: %w", r.name, r.version, err)
}

func (b builder) list(ctx context.Context) ([]Status, error) {
	var err error
	if b.goTool, err = gotool.Find(ctx); err != nil {
		return nil, err
	}
	sets, err := b.plan()
	if err != nil {
		return nil, err
	}
	out := make([]Status, 0, len(sets))
	for _, p := range sets {
		s := Status{Set: p.recipe.name, Version: p.recipe.version, Key: p.key, Dir: p.dir, State: Missing}
		if p.record != nil {
			s.State, s.Took, s.Artifacts, s.Images = Built, p.record.Took, p.record.Artifacts, p.record.Images
		}
		out = append(out, s)
	}
	return out, nil
}

func (b builder) tell(e Event) {
	if b.options.Progress != nil {
		b.options.Progress(e)
	}
}

// sayer tells lines of progress, none too soon after the one before.
func (b builder) sayer(p planned, start time.Time) func(string) {
	var last time.Time
	return func(line string) {
		now := time.Now()
		if now.Sub(last) < progressEvery {
			return
		}
		last = now
		b.tell(Event{Kind: Progressed, Set: p.recipe.name, Version: p.recipe.version, Line: line, Elapsed: now.Sub(start)})
	}
}
