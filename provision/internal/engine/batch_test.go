package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/host/hosttest"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/plan"
)

// lookAt is one look at a fake host's files.
func lookAt(h *hosttest.Host) func(context.Context, string, facts.Scope) (facts.Snapshot, error) {
	return func(_ context.Context, _ string, scope facts.Scope) (facts.Snapshot, error) {
		snap := facts.Snapshot{Files: map[string]facts.File{}}
		for _, path := range scope.Paths {
			if f, ok := h.State().Files[path]; ok && f.Kind == hosttest.Regular {
				sum := sha256.Sum256([]byte(f.Content))
				snap.Files[path] = facts.File{SHA256: "sha256:" + hex.EncodeToString(sum[:]), Mode: f.Mode, Owner: f.Owner}
			}
		}
		return snap, nil
	}
}

// slow is a host on which a command takes a second.
type slow struct{ *hosttest.Host }

func (s slow) WriteFiles(ctx context.Context, files []host.File) error {
	time.Sleep(time.Second)
	return s.Host.WriteFiles(ctx, files)
}

// What is due at once goes with one command; what becomes due while that is
// under way goes with the next.
func TestFilesDueAtOnceAreWrittenTogether(t *testing.T) {
	h := hosttest.New(t, "a")
	rs, have := map[plan.ID]resource.Resource{}, map[plan.ID]plan.State{}
	var items []plan.Item
	want := func(f resource.File) {
		item := f.Item()
		rs[item.ID], have[item.ID] = f, nil
		items = append(items, item)
	}
	late := resource.File{Host: "a", Path: "/etc/late", Content: []byte("l"), Mode: 0o644}
	for n := range 50 {
		f := resource.File{Host: "a", Path: fmt.Sprintf("/etc/f%d", n), Content: fmt.Append(nil, n), Mode: 0o600}
		late.Needs = append(late.Needs, f.Item().ID)
		want(f)
	}
	want(late)
	p, err := plan.Diff("c", items, have)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e := Engine{Resources: rs, World: resource.World{Hosts: map[string]host.Writer{"a": slow{h}}}, Sink: &sink{}, Now: time.Now, PerHost: 1, Look: lookAt(h)}
		if failed := e.Run(t.Context(), p).Failed(); len(failed) > 0 {
			t.Fatal(failed[0].Err)
		}
		// One command for who came first, one for the rest, one for who needs them.
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("51 files took %s, want 3 commands of a second", took)
		}
	})
	ops := h.Ops()
	if last := ops[len(ops)-1]; last.Path != late.Path {
		t.Errorf("the last command wrote %s, want what needs all others", last.Path)
	}
	if f := h.State().Files["/etc/f42"]; f.Content != "42" || f.Mode != 0o600 {
		t.Errorf("%+v", f)
	}
}

// due are files that have become due at the same time.
func due(t *testing.T, files ...resource.File) []*writing {
	t.Helper()
	var all []*writing
	for _, f := range files {
		content, err := f.Files(plan.Change{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &writing{node: &node{change: plan.Change{Item: f.Item()}}, res: f, files: content, done: make(chan error, 1)})
	}
	return all
}

// A file that cannot be written takes no other with it that went with the same
// command.
func TestABadFileFailsAlone(t *testing.T) {
	bad := resource.File{Host: "a", Path: "/etc/taken", Content: []byte("x"), Mode: 0o644}
	good := resource.File{Host: "a", Path: "/etc/good", Content: []byte("x"), Mode: 0o644}
	h := hosttest.New(t, "a")
	h.Edit(func(s *hosttest.State) {
		if err := s.MakeDirs(bad.Path); err != nil {
			t.Fatal(err)
		}
	})
	r := &run{work: t.Context(), Engine: Engine{World: resource.World{Hosts: map[string]host.Writer{"a": h}}, Look: lookAt(h)}}
	all := due(t, bad, good)
	r.writeAll(all)
	if err := <-all[0].done; err == nil || !strings.Contains(err.Error(), bad.Path) {
		t.Errorf("the bad one: %v", err)
	}
	if err := <-all[1].done; err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// idle is a host whose writes do nothing.
type idle struct{ *hosttest.Host }

func (idle) WriteFiles(context.Context, []host.File) error { return nil }

func TestWhatWasWrittenIsLookedAt(t *testing.T) {
	h := hosttest.New(t, "a")
	r := &run{work: t.Context(), Engine: Engine{World: resource.World{Hosts: map[string]host.Writer{"a": idle{h}}}, Look: lookAt(h)}}
	all := due(t, resource.File{Host: "a", Path: "/etc/f", Content: []byte("x"), Mode: 0o644})
	r.writeAll(all)
	if err := <-all[0].done; err == nil || err.Error() != "it was changed, but did not become as wanted: absent" {
		t.Error(err)
	}
}
